/**
 * What may be told of an error, in logs and in a terminal: its name, code and place, and its message unless it comes from
 * a driver or a parser, which quote what they were given ("invalid input syntax for type uuid: …").
 */

/** For a log: what was wrapped is told behind what wraps it, whose message may repeat it. */
export const describeError = (error: unknown): object => {
  if (!(error instanceof Error)) return { name: typeof error };
  const cause = causeOf(error);
  return {
    ...namesOf(error),
    ...(!quotes(error) && cause === undefined && { message: error.message }),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 12)
      .join('\n'),
    ...(cause !== undefined && { cause: describeError(cause) }),
  };
};

/** For a person, on one line: the message, or `StatementFault 23505: error 23505 person person_pkey`. */
export const errorInWords = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (!mayQuote(error)) return error.message;
  return chainOf(error)
    .map((one) => Object.values(namesOf(one)).join(' '))
    .join(': ');
};

/** Whether its message may hold a value that somebody gave: its own, or one that it repeats of what it wraps. */
export const mayQuote = (error: Error): boolean => chainOf(error).some(quotes);

const quotes = (error: Error): boolean => 'severity' in error || 'sqlState' in error || error instanceof SyntaxError;
const causeOf = (error: Error): unknown => ('cause' in error ? error.cause : undefined);
const chainOf = (error: Error): readonly Error[] => {
  const cause = causeOf(error);
  return [error, ...(cause instanceof Error ? chainOf(cause) : [])];
};

const NAMES = ['code', 'table', 'constraint'] as const;
const namesOf = (error: Error): Readonly<Record<string, unknown>> => {
  const known: Readonly<Record<string, unknown>> = { ...error, ...('sqlState' in error && { code: error.sqlState }) };
  const told = NAMES.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]]));
  return { name: error.name, ...Object.fromEntries(told) };
};
