import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { terminal } from './terminal.ts';

const lines = (log: (logger: ReturnType<typeof createLogger>) => void): string[] => {
  const written: string[] = [];
  log(createLogger('info', terminal({ write: (line: string) => written.push(line) })));
  return written.map((line) => line.replace(/^\d\d:\d\d:\d\d/, '14:03:11'));
};

test('a request is one short line', () => {
  const request = { requestId: 'r', method: 'POST', route: '/api/v1/tasks', status: 201, ms: 4.1 };
  expect(lines(({ info }) => info('request', request))).toEqual(['14:03:11 POST /api/v1/tasks 201 4.1 ms\n']);
});

test('what else happens tells its fields, and how bad it is', () => {
  expect(lines(({ warn }) => warn('a request could not be served', { code: 'busy', route: '/x' }))).toEqual([
    '14:03:11 warn a request could not be served code=busy\n',
  ]);
});
