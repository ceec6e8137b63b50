// The primitives: our look on React Aria's behaviour.
export { Banner, type BannerProps, type BannerTone, FailureBanner } from "./banner.tsx";
export { Button, type ButtonProps, ExternalLink, IconButton } from "./button.tsx";
export {
  type BadgeTone,
  Card,
  type CardProps,
  Facts,
  Mask,
  PageHead,
  StatusBadge,
  SwitchedOff,
  Timestamp,
} from "./card.tsx";
export { Buttons, ConfirmDialog, type ConfirmDialogProps, Dialog, type DialogProps } from "./dialog.tsx";
export {
  type Choice,
  SearchField,
  Select,
  type SelectProps,
  Switch,
  type SwitchProps,
  TextField,
  type TextFieldProps,
} from "./fields.tsx";
export { Frame, useFrame } from "./frame.tsx";
export { ActionMenu, type MenuAction } from "./menu.tsx";
export { ProgressBar, type ProgressBarProps } from "./progress.tsx";
export { SecretField, type SecretFieldHandle, type SecretFieldProps } from "./secret_field.tsx";
export { Segments, type SegmentsProps } from "./segments.tsx";
export { EmptyState, Loaded, SealedState, Skeleton } from "./states.tsx";
export { type Column, Table, type TableProps } from "./table.tsx";
export { type TabItem, Tabs, type TabsProps } from "./tabs.tsx";
