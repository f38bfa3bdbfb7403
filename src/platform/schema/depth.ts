/** How deeply a JSON text is nested, found without parsing it: by counting brackets outside of strings. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether it has more levels of objects and lists than that. Says nothing of whether it is JSON. */
export const isDeeperThan = (text: string, levels: number): boolean => {
  if (text.length <= levels) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > levels) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
};
