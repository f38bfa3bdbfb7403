import { expect, test } from 'vitest';
import { merged } from './metrics.ts';

const told = (labels: string, ...lines: readonly string[]) => ({ labels, text: `${lines.join('\n')}\n` });

test('a family of several processes is told in one piece, its head once, each sample by whose it is', () => {
  const head = ['# HELP a_total As.', '# TYPE a_total counter'];
  const user = told('process="user",copy="1"', ...head, 'a_total{code="x y"} 2', '', '# TYPE b gauge', 'b 1');
  const task = told('process="task",copy="1"', '# TYPE b gauge', 'b 3', ...head, 'a_total{code="{"} 4');
  expect(merged([user, task]).split('\n')).toEqual([
    ...head,
    'a_total{process="user",copy="1",code="x y"} 2',
    'a_total{process="task",copy="1",code="{"} 4',
    '# TYPE b gauge',
    'b{process="user",copy="1"} 1',
    'b{process="task",copy="1"} 3',
    '',
  ]);
});

test('what is no metrics at all adds nothing', () => {
  expect(merged([told('process="user"', '<html>', 'away'), told('process="task"')])).toBe('\n');
});
