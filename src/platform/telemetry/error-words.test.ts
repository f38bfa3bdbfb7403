import pg from 'pg';
import { expect, test } from 'vitest';
import { classifyError } from '../sql/errors.ts';
import { errorInWords, mayQuote } from './error-words.ts';

const ofDriver = (fields: Partial<pg.DatabaseError>): Error =>
  Object.assign(new pg.DatabaseError('duplicate key value: "secret"', 1, 'error'), {
    severity: 'ERROR',
    detail: 'Key (email)=(secret) already exists.',
    ...fields,
  });

test('of a driver’s error a person is told its name, code and place, and none of the values that it quotes', () => {
  const broken = { code: '23505', table: 'person', constraint: 'person_pkey' };
  expect(errorInWords(classifyError(ofDriver(broken)))).toBe(
    'StatementFault 23505 person_pkey: error 23505 person person_pkey',
  );
  expect(errorInWords(classifyError(ofDriver({ code: '22P02' })))).toBe('StatementFault 22P02: error 22P02');
  expect(errorInWords(classifyError(ofDriver({ code: '57P03' })))).toBe('DatabaseUnavailable: error 57P03');
  expect(errorInWords(classifyError(ofDriver({ code: '55000' }))), 'a replica that is no primary yet').toBe(
    'DatabaseUnavailable: error 55000',
  );
  expect(errorInWords(ofDriver({ code: '42501', table: 'event' }))).toBe('error 42501 event');
});

test('what wraps such an error may repeat it, so of that too its name alone is told', () => {
  const cause = ofDriver({ code: '22P02' });
  const wrapped = new Error(`a mail was not stored: ${cause.message}`, { cause: new Error(cause.message, { cause }) });
  expect(errorInWords(wrapped)).toBe('Error: Error: error 22P02');
  expect(mayQuote(wrapped)).toBe(true);
  expect(mayQuote(new Error('nothing came', { cause: new Error('nobody sent anything') }))).toBe(false);
});

test('of a parser’s error its name alone; a message of ours, or of a socket, as it is', () => {
  expect(errorInWords(new SyntaxError('Unexpected token: secret'))).toBe('SyntaxError');
  expect(errorInWords(new Error('there is nothing yet'))).toBe('there is nothing yet');
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });
  expect(errorInWords(classifyError(refused))).toBe('the database is unavailable: connect ECONNREFUSED');
  expect(errorInWords('gone')).toBe('gone');
});
