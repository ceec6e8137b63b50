// A menu of what else can be done with something.
import { Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { Ellipsis, type LucideIcon } from "lucide-react";
import { IconButton } from "./button.tsx";
import { useFrame } from "./frame.tsx";

/** Something that can be done. */
export interface MenuAction {
  id: string;
  label: string;
  icon?: LucideIcon;
  onAction: () => void;
  isDanger?: boolean;
  isDisabled?: boolean;
}

/** A button with three dots that opens a menu. */
export function ActionMenu({ label, actions }: { label: string; actions: MenuAction[] }) {
  const frame = useFrame();
  return (
    <MenuTrigger>
      <IconButton label={label} icon={Ellipsis} />
      <Popover {...frame} className="hftok hftok-popover" placement="bottom end">
        <Menu className="hftok-list" aria-label={label}>
          {actions.map(({ id, label, icon: Icon, onAction, isDanger, isDisabled }) => (
            <MenuItem
              key={id}
              id={id}
              textValue={label}
              onAction={onAction}
              isDisabled={isDisabled}
              className={`hftok-item${isDanger ? " hftok-item-danger" : ""}`}
            >
              {Icon && <Icon aria-hidden className="hftok-icon" />}
              <span>{label}</span>
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
