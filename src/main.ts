/** The one-command start: every service in one process, on the embedded database unless one is named. */
import { startProcess } from '#platform/lifecycle/process.ts';
import { startAll } from './start-all.ts';

await startProcess(startAll);
