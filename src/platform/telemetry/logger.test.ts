import pg from 'pg';
import { expect, test } from 'vitest';
import { DatabaseUnavailable } from '../sql/errors.ts';
import { createLogger, type LogFields } from './logger.ts';

const logged = (fields: LogFields, level = 'info') => {
  const lines: string[] = [];
  createLogger(level, { write: (line: string) => lines.push(line) }).info('something happened', fields);
  return lines.map((line) => JSON.parse(line));
};

test('a line says when, where, what, and the fields on the list', () => {
  expect(logged({ requestId: 'r', route: '/tasks/:id', status: 200, ms: 1.5 })).toEqual([
    {
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      pid: process.pid,
      msg: 'something happened',
      requestId: 'r',
      route: '/tasks/:id',
      status: 200,
      ms: 1.5,
    },
  ]);
});

test('a field that is not on the list is dropped, however it came along', () => {
  const request = { requestId: 'r', body: { title: 'secret' }, headers: 'secret', password: 'secret', __proto__: null };
  expect(JSON.stringify(logged(request))).not.toContain('secret');
  const disguised = { route: { secret: 'secret' } as unknown, status: 'secret' as unknown };
  expect(JSON.stringify(logged(disguised as LogFields))).not.toContain('secret');
});

const rejected = async (run: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await run();
  } catch (error) {
    return error;
  }
};

test('of a driver’s error its code and place are kept, and none of the values that it quotes', async () => {
  const error = new pg.DatabaseError('invalid input syntax for type uuid: "secret"', 1, 'error');
  Object.assign(error, { code: '22P02', severity: 'ERROR', detail: 'Key (email)=(secret)', where: 'secret' });
  const wrapped = await rejected(async () => {
    throw new DatabaseUnavailable(error, false);
  });
  const [line] = logged({ error: wrapped });
  expect(JSON.stringify(line)).not.toContain('secret');
  expect(line.error).toMatchObject({ name: 'DatabaseUnavailable', cause: { code: '22P02' } });
  expect(line.error.stack).toMatch(/^ {4}at /);
});

test('an error of ours is told with its message; what is no error by its type alone', () => {
  expect(logged({ error: new RangeError('a batch lost count') })).toMatchObject([
    { error: { name: 'RangeError', message: 'a batch lost count' } },
  ]);
  expect(logged({ error: 'secret' })).toMatchObject([{ error: { name: 'string' } }]);
});

test('below the level nothing is written', () => expect(logged({}, 'warn')).toEqual([]));
