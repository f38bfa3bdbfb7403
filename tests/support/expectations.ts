/** What holds of every refusal, said once. */
import { expect } from 'vitest';
import type { Answer, TestApp } from './app.ts';
import type { TestDatabase } from './database.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A problem document (RFC 9457) with all its members; answers the pointers of its errors. */
export const expectProblem = (answer: Answer, status: number, code: string): readonly string[] => {
  expect(answer.body, JSON.stringify(answer.body)).toMatchObject({ status, code, type: `/problems/${code}` });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  const { title, detail, instance, requestId, traceId, errors } = answer.body;
  for (const text of [title, detail]) expect(text).toEqual(expect.stringMatching(/\S/));
  expect(instance).toMatch(/^\//);
  expect(instance).not.toContain('?');
  expect(requestId).toMatch(UUID);
  expect(answer.headers['x-request-id']).toBe(requestId);
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  if (code === 'invalid-input') expect(errors).not.toEqual([]);
  for (const error of errors ?? []) {
    expect(error).toEqual({ pointer: expect.any(String), code: expect.any(String), detail: expect.any(String) });
  }
  return (errors ?? []).map(({ pointer }: { pointer: string }) => pointer);
};

/** A problem without what differs from one request to the next: what two refusals must have in common. */
export const timeless = ({ status, body }: Answer): object => {
  const { requestId, traceId, instance, ...rest } = body;
  return { status, ...rest };
};

/** How many events all services have written. */
export const countEvents = async ({ database }: { readonly database: TestDatabase }): Promise<number> => {
  const [row] = await database.sql<{ count: number }>(
    'select ((select count(*) from user_service.event) + (select count(*) from task_service.event))::int as count',
  );
  return row?.count ?? Number.NaN;
};

/** Runs something that must leave no event behind. */
export const expectNothingStored = async (product: TestApp, run: () => Promise<unknown>): Promise<void> => {
  const before = await countEvents(product);
  await run();
  expect(await countEvents(product)).toBe(before);
};
