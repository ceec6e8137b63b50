// A value that has come to rest: what is typed is asked for once, and not with every key.
import { useEffect, useState } from "react";

/** The value as it was when it had not changed for so long. */
export function useSettled<Value>(value: Value, milliseconds = 350): Value {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
