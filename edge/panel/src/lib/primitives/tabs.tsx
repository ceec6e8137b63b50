// Tabs: several views of one thing, one at a time.
import type { ReactNode } from "react";
import { Tab, TabList, TabPanel, Tabs as AriaTabs } from "react-aria-components";

/** A tab, and what it shows. */
export interface TabItem<Id extends string = string> {
  id: Id;
  label: string;
  content: ReactNode;
}

/** The props of tabs. */
export interface TabsProps<Id extends string> {
  /** What they are views of. */
  label: string;
  tabs: TabItem<Id>[];
  selected?: Id;
  onChange?: (id: Id) => void;
}

/** Tabs; what is not selected is not there. */
export function Tabs<Id extends string>({ label, tabs, selected, onChange }: TabsProps<Id>) {
  return (
    <AriaTabs
      className="hftok-tabs"
      selectedKey={selected}
      onSelectionChange={(key) => {
        const tab = tabs.find(({ id }) => id === key);
        if (tab) onChange?.(tab.id);
      }}
    >
      <TabList aria-label={label} className="hftok-tab-list">
        {tabs.map(({ id, label }) => <Tab key={id} id={id} className="hftok-tab">{label}</Tab>)}
      </TabList>
      {tabs.map(({ id, content }) => (
        <TabPanel key={id} id={id} className="hftok-tab-panel">{content}</TabPanel>
      ))}
    </AriaTabs>
  );
}
