/** Documents as tests see them: their links, their ```console blocks, and how real output is compared with them. */

export type Example = { readonly command: string; readonly output: string };

/** The commands of all ```console blocks (lines that begin with `$ `), each with the output shown under it. */
export const examplesIn = (markdown: string): readonly Example[] =>
  [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.split('\n');
        return { command, output: output.join('\n').trim() };
      }),
  );

/** Relative targets of a document's links, without their anchors. */
export const linksIn = (markdown: string): readonly string[] =>
  [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target.split('#', 1)[0] ?? '')
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));

/** Paths of this repository that a document names in backticks: what has a slash or a known ending. */
export const pathsIn = (markdown: string): readonly string[] =>
  [...withoutCode(markdown).matchAll(/`([^`\s]+)`/g)]
    .map(([, text = '']) => text)
    .filter((text) => /^(src|tests|bench|scripts|bin|docs)(\/[\w.<>*-]+)*\/?$/.test(text) && text.includes('/'))
    .filter((text) => !/[<>*]/.test(text));

const withoutCode = (markdown: string): string => markdown.replaceAll(/^```.*?^```$/gms, '');

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z/g;
/** How long after the first of them something happened, as it stands before a line, as wide as the widest. */
const OFFSET = /^ *\+[\d.]+ m?s/gm;
const shapeOf = (text: string): string =>
  text.replace(UUID, '<id>').replace(INSTANT, '<instant>').replace(OFFSET, '<offset>').trim();

/** Whether `real` is what the document shows: ids, instants and offsets may differ, and `…` stands for anything. */
export const fits = (shown: string, real: string): boolean => {
  const parts = shapeOf(shown)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(shapeOf(real));
};

/** What stands in backticks. */
export const spansIn = (markdown: string): readonly string[] =>
  [...withoutCode(markdown).matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);

/** The rows of all tables, without their heads. */
export const rowsIn = (markdown: string): readonly (readonly string[])[] => {
  const lines = withoutCode(markdown).split('\n');
  const isRow = (line: string | undefined) => line?.startsWith('|') ?? false;
  const isRule = (line: string | undefined) => /^\|[-|]+\|$/.test(line ?? '');
  return lines
    .filter((line, n) => isRow(line) && !isRule(line) && !isRule(lines[n + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
};
