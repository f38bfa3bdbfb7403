/** What is put under load: its user, the tasks made there so far, and whose CPU it takes. */
import { randomUUID } from 'node:crypto';
import { drive, type Load } from './load.ts';

export type Job = 'create' | 'read' | 'list' | 'complete';

/** Microseconds of CPU, by who used them. */
export type Cpu = Readonly<Record<string, number>>;

/** Where somebody is asked, and how. */
export interface Place {
  readonly port: number;
  /** Writes carry a fresh Idempotency-Key, as our clients are told to send. */
  readonly keyed: boolean;
  /** An instant as its API takes it. */
  readonly due: (instant: string) => unknown;
  /** Answers an access token, always of the same user. */
  readonly signIn: () => Promise<string>;
  /** So far. */
  readonly cpu: () => Cpu;
  /** Resolves once all that requests led to is done; where it is missing, nobody waits. */
  readonly settled?: () => Promise<void>;
}

export interface Sample extends Load {
  /** While requests were under way. */
  readonly cpu: Cpu;
  /** With all that they led to. */
  readonly wholeCpu: Cpu;
}

const CONNECTIONS = 32;
const ENOUGH_TASKS = 1000;
const TASKS = '/api/v1/tasks';
const ID = /"id": ?"([0-9a-f-]{36})"/;
const NEW_TASK = {
  title: 'Review the quarterly figures with the team',
  description: 'Compare them with the plan, note what differs by more than five per cent and why. '.repeat(2),
  priority: 'high',
};
const DUE = '2031-03-31T16:00:00Z';

export class Subject {
  readonly #place: Place;
  readonly #tasks: string[] = [];
  readonly #openTasks: string[] = [];
  #token = '';
  #turn = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  async measure(job: Job, seconds: number, connections = CONNECTIONS): Promise<Sample> {
    const { cpu, signIn, settled } = this.#place;
    this.#token = await signIn();
    const supply = job === 'complete' ? this.#openTasks : this.#tasks;
    if (job !== 'create' && supply.length < ENOUGH_TASKS) await this.#load('create', seconds, CONNECTIONS);
    await settled?.();
    const before = cpu();
    const load = await this.#load(job, seconds, connections);
    const after = cpu();
    await settled?.();
    return { ...load, cpu: difference(after, before), wholeCpu: difference(cpu(), before) };
  }

  #load(job: Job, seconds: number, connections: number): Promise<Load> {
    const load = { port: this.#place.port, connections, seconds, next: () => this.#next(job) };
    return drive(job === 'create' ? { ...load, onBody: (body) => this.#remember(body) } : load);
  }

  #next(job: Job): string | undefined {
    switch (job) {
      case 'create':
        return this.#write(TASKS, JSON.stringify({ ...NEW_TASK, due: this.#place.due(DUE) }));
      case 'read':
        return this.#request('GET', `${TASKS}/${this.#tasks[this.#turn++ % this.#tasks.length]}`);
      case 'list':
        return this.#request('GET', `${TASKS}?limit=20`);
      case 'complete': {
        const id = this.#openTasks.pop();
        return id && this.#write(`${TASKS}/${id}/complete`, '');
      }
    }
  }

  #write(path: string, body: string): string {
    const key = this.#place.keyed ? `Idempotency-Key: "${randomUUID()}"\r\n` : '';
    const type = body === '' ? '' : 'Content-Type: application/json\r\n';
    return this.#request('POST', path, `${key}${type}Content-Length: ${Buffer.byteLength(body)}\r\n`, body);
  }

  #request(method: string, path: string, headers = '', body = ''): string {
    const authorization = `Authorization: Bearer ${this.#token}\r\n`;
    return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#place.port}\r\n${authorization}${headers}\r\n${body}`;
  }

  #remember(body: string): void {
    const id = ID.exec(body)?.[1];
    if (id === undefined) throw new Error(`a created task without an id: ${body.slice(0, 200)}`);
    this.#tasks.push(id);
    this.#openTasks.push(id);
  }
}

const difference = (after: Cpu, before: Cpu): Cpu =>
  Object.fromEntries(Object.entries(after).map(([who, time]) => [who, time - (before[who] ?? 0)]));
