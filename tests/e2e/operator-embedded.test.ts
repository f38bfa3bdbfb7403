/** An operator's commands where the database is the one beside the process: with a server that runs it, and without. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { asking, newPerson } from './support/client.ts';
import { productBed } from './support/product.ts';

const bed = productBed();
afterAll(bed.clear);

describe.each([{ where: 'beside a running server' }, { where: 'without a server' }])('$where', ({ where }) => {
  let embedded: { DATA_DIR: string };
  let requestId: string;
  beforeAll(async () => {
    embedded = { DATA_DIR: await bed.folder() };
    const own = await bed.start({ env: embedded });
    const { ask } = await newPerson(own.url);
    const task = await ask('POST', '/api/v1/tasks', {
      body: { title: 'For later', due: { at: '2060-01-02T12:00:00Z' } },
    });
    requestId = String(task.headers.get('x-request-id'));
    await until('it to be heard', async () => {
      const { body } = await asking(own.url)('GET', '/health/events');
      const told = JSON.stringify(body);
      return told.includes('"consumers"') && !/at its beginning/.test(told);
    });
    if (where === 'without a server') {
      own.signal('SIGTERM');
      await own.exit;
    }
  });
  const here = async (...args: readonly string[]) => {
    const run = bed.taskwire(args, { env: embedded });
    return { ...(await run.exit), output: run.output() };
  };

  test('the commands find it', async () => {
    const trace = await here('events', 'trace', requestId);
    expect(trace.output).toMatch(
      /task\.created +by \S+, due 2060-01-01T12:00:00.000Z\n +└─ notification\.tasks +heard it, and made no event of it\n/,
    );
    const listed = JSON.parse((await here('consumers', 'list', '--json')).output);
    const state = where === 'without a server' ? 'unread' : 'ok';
    expect(listed.map((one: { state: string }) => one.state)).toEqual([state, state]);
    expect(await here('dead-letters', 'list')).toMatchObject({ code: 0, output: 'nothing is parked\n' });
  });
});
