/** The words of a text as they are searched: without case, accents and signs, so that "Mull" finds "MÜLL, rausbringen". */
export const searchWords = (text: string): readonly string[] =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) ?? [];
