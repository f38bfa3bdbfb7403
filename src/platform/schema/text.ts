/** Text that PostgreSQL cannot keep as it is: NUL, and halves of surrogate pairs (silently stored as U+FFFD). */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** The first string (or key) within a JSON value that is not storable, as a JSON pointer; undefined if all are. */
export const findUnstorable = (value: unknown, pointer = ''): string | undefined => {
  if (typeof value === 'string') return isStorable(value) ? undefined : pointer;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (!isStorable(key)) return pointer;
    const found = findUnstorable(inner, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (found !== undefined) return found;
  }
  return undefined;
};
