/** taskwire <command>: the operator's side. */
import { Command } from 'commander';
import { ConfigurationError } from '#platform/config/config.ts';
import { startProcess } from '#platform/lifecycle/process.ts';
import { eventsShow, eventsTail } from './cli/events.ts';
import { migrateNow, migrateStatus } from './cli/migrate.ts';
import { startAll } from './start-all.ts';

const program = new Command('taskwire')
  .description('Users and tasks as event-sourced services.')
  .version('0.1.0')
  .addHelpText('after', '\nSettings come from the environment and a .env file; .env.example lists them all.');

program
  .command('start')
  .description('run everything in this process')
  .action(() => startProcess(startAll));

const migrations = program.command('migrate').description('bring every schema up to date').action(migrateNow);
migrations.command('status').description('list the migrations, and when each was applied').action(migrateStatus);

const events = program.command('events').description('look into the event stores');
events
  .command('show <stream>')
  .description('print the events of one stream, such as task-01939d5e-…')
  .option('--open', 'open personal fields instead of showing them sealed')
  .action(eventsShow);
events
  .command('tail')
  .description('print the newest events of all services in the order of each')
  .option('-n, --lines <count>', 'how many to begin with', '10')
  .option('-f, --follow', 'go on printing events as they are committed')
  .option('--open', 'open personal fields instead of showing them sealed')
  .action(eventsTail);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`taskwire: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigurationError ? 2 : 1);
}
