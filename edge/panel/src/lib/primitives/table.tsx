// Tables of data: rows in columns; where there is no room for columns, each row is a block of its own.
import type { ReactNode } from "react";

/** A column. */
export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end. */
  align?: "start" | "end";
  /** The header is there for who cannot see it only: of a column of buttons. */
  isHeaderHidden?: boolean;
  /** The cell that names the row. */
  isRowHeader?: boolean;
  /** Takes no more width than it needs. */
  isNarrow?: boolean;
}

/** The props of a table. */
export interface TableProps<Row> {
  /** What the table shows, for who cannot see it. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
}

/** A table. */
export function Table<Row>({ caption, columns, rows, rowKey }: TableProps<Row>) {
  const classOf = ({ align, isNarrow }: Column<Row>) =>
    `${align === "end" ? "hftok-cell-end" : ""}${isNarrow ? " hftok-cell-narrow" : ""}`;
  // The roles are said, because a table whose cells are no table cells to the style sheet is none to some readers.
  return (
    <table className="hftok-table" role="table">
      <caption className="hftok-hidden">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.id} scope="col" role="columnheader" className={classOf(column)}>
              <span className={column.isHeaderHidden ? "hftok-hidden" : undefined}>
                {column.header}
              </span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={rowKey(row)} role="row">
            {columns.map((column) => {
              const inside = (
                <>
                  {!column.isHeaderHidden && !column.isRowHeader && (
                    <span className="hftok-cell-name" aria-hidden>{column.header}</span>
                  )}
                  <span className="hftok-cell-value">{column.cell(row)}</span>
                </>
              );
              return column.isRowHeader
                ? (
                  <th
                    key={column.id}
                    scope="row"
                    role="rowheader"
                    className={classOf(column)}
                  >
                    {inside}
                  </th>
                )
                : <td key={column.id} role="cell" className={classOf(column)}>{inside}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
