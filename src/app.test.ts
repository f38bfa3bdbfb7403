import { expect, test } from 'vitest';
import { problemsOf } from './app.ts';

const saying = (name: string, title: string, code = 'gone') => ({
  name,
  problems: { [code]: { status: 404, title, detail: 'Look elsewhere.' } },
});

test('the problems of all services are told together; a code may be said by several, if they mean the same', () => {
  const problems = problemsOf([
    saying('user', 'It is gone'),
    saying('task', 'It is gone'),
    saying('task', 'Full', 'full'),
  ]);
  expect(problems).toMatchObject({ gone: { title: 'It is gone' }, full: { title: 'Full' }, busy: { status: 503 } });
});

test('a code that means two things is refused, of two services as of one and the platform', () => {
  expect(() => problemsOf([saying('user', 'It is gone'), saying('task', 'It is away')])).toThrow(
    'the task service says “It is away” by gone, not “It is gone”',
  );
  expect(() => problemsOf([saying('user', 'I am busy', 'busy')])).toThrow('the user service says “I am busy” by busy');
});
