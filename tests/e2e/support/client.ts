/** A client over real HTTP: what a browser or a script would get. */
import { randomUUID } from 'node:crypto';
import { served } from '../../support/served.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined for an answer without JSON. */
  readonly body: Json | undefined;
  readonly ms: number;
};
type Json = { readonly [field: string]: unknown };
export type Ask = (
  method: string,
  path: string,
  options?: {
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    readonly patience?: number;
  },
) => Promise<Answer>;

export const PASSWORD = 'correct horse battery';

/**
 * At one address, or at several with commas between, which are taken in turn: where a connection is refused, and only there,
 * the next one is tried. Rejects when there is no answer: a connection that is refused or breaks, or `patience` (by default
 * 10 s) is over.
 */
export const asking = (url: string, token?: string): Ask => {
  const urls = url.split(',');
  return async (...request) => {
    turn += 1;
    const [first = '', ...others] = urls.map((_, n) => urls[(turn + n) % urls.length] ?? '');
    let answer = askingOne(first, token)(...request);
    for (const other of others)
      answer = answer.catch((error: unknown) => {
        if (!isRefused(error)) throw error;
        return askingOne(other, token)(...request);
      });
    return answer;
  };
};
let turn = 0;
/** There was no connection, and so nothing was sent. ECONNRESET as it is made is one too: whoever listened stopped just then. */
const isRefused = (error: unknown): boolean => error instanceof TypeError && Object(error.cause).syscall === 'connect';

const askingOne =
  (url: string, token?: string): Ask =>
  async (method, path, { body, headers, patience = 10_000 } = {}) => {
    const began = performance.now();
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(patience),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : undefined,
      ms: performance.now() - began,
    };
  };

/** Registers somebody new and logs in. */
export const newPerson = async (
  url: string,
): Promise<{ readonly token: string; readonly email: string; readonly ask: Ask }> => {
  const ask = asking(url);
  let email = '';
  const registered = await served(() => {
    const username = `p${randomUUID().slice(0, 8)}`; // another each time: of one nobody may know whether it was done
    email = `${username}@example.org`;
    return ask('POST', '/api/v1/auth/register', { body: { email, username, password: PASSWORD } });
  });
  if (registered.status !== 201) throw new Error(`registering: ${JSON.stringify(registered.body)}`);
  const login = await served(() => ask('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } }));
  if (login.status !== 200) throw new Error(`logging in: ${JSON.stringify(login.body)}`);
  const token = String(login.body?.accessToken);
  return { token, email, ask: asking(url, token) };
};
