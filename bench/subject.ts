/** One service under load: its process, its user and the tasks made so far. */
import { randomUUID } from 'node:crypto';
import { drive, type Load } from './load.ts';
import { createDatabase, type Server } from './postgres.ts';
import { cpuTime, tree, workingIn } from './proc.ts';
import { freePort, type Service, startService } from './service.ts';
import type { Target } from './targets.ts';

export type Job = 'create' | 'read' | 'list' | 'complete';

export interface Sample extends Load {
  /** Microseconds of CPU, of the service and of PostgreSQL. */
  readonly serviceCpu: number;
  readonly postgresCpu: number;
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

export class Subject implements AsyncDisposable {
  readonly #target: Target;
  readonly #server: Server;
  readonly #service: Service;
  readonly #port: number;
  readonly #tasks: string[] = [];
  readonly #openTasks: string[] = [];
  #token = '';
  #turn = 0;

  private constructor(target: Target, server: Server, service: Service, port: number) {
    this.#target = target;
    this.#server = server;
    this.#service = service;
    this.#port = port;
  }

  static async start(target: Target, server: Server, folder: string): Promise<Subject> {
    await target.prepare();
    const name = target.name.toLowerCase();
    const database = await createDatabase(server, `bench_${name}`);
    const port = await freePort();
    const command = target.command(database, port, `${folder}/${name}`);
    return new Subject(target, server, await startService(name, command, port), port);
  }

  async measure(job: Job, seconds: number): Promise<Sample> {
    this.#token = await this.#target.signIn(`http://127.0.0.1:${this.#port}/api/v1`);
    const supply = job === 'complete' ? this.#openTasks : this.#tasks;
    if (job !== 'create' && supply.length < ENOUGH_TASKS) await this.#load('create', seconds);
    const before = this.#cpuTimes();
    const load = await this.#load(job, seconds);
    const after = this.#cpuTimes();
    return {
      ...load,
      serviceCpu: after.service - before.service,
      postgresCpu: after.postgres - before.postgres,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service[Symbol.asyncDispose]();
  }

  #load(job: Job, seconds: number): Promise<Load> {
    const load = { port: this.#port, connections: CONNECTIONS, seconds, next: () => this.#next(job) };
    return drive(job === 'create' ? { ...load, onBody: (body) => this.#remember(body) } : load);
  }

  #next(job: Job): string | undefined {
    switch (job) {
      case 'create':
        return this.#write(TASKS, JSON.stringify({ ...NEW_TASK, due: this.#target.due(DUE) }));
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
    const key = this.#target.keyed ? `Idempotency-Key: "${randomUUID()}"\r\n` : '';
    const type = body === '' ? '' : 'Content-Type: application/json\r\n';
    return this.#request('POST', path, `${key}${type}Content-Length: ${Buffer.byteLength(body)}\r\n`, body);
  }

  #request(method: string, path: string, headers = '', body = ''): string {
    const authorization = `Authorization: Bearer ${this.#token}\r\n`;
    return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${authorization}${headers}\r\n${body}`;
  }

  #remember(body: string): void {
    const id = ID.exec(body)?.[1];
    if (id === undefined) throw new Error(`a created task without an id: ${body.slice(0, 200)}`);
    this.#tasks.push(id);
    this.#openTasks.push(id);
  }

  #cpuTimes(): { service: number; postgres: number } {
    return { service: cpuTime(tree(this.#service.pid)), postgres: cpuTime(workingIn(this.#server.folder)) };
  }
}
