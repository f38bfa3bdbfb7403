/** taskwire <command>: the operator's side. */
import { Argument, Command, CommanderError, Option } from 'commander';
import { ConfigurationError } from '#platform/config/config.ts';
import { startProcess } from '#platform/lifecycle/process.ts';
import { errorInWords } from '#platform/telemetry/error-words.ts';
import { aclsApply, aclsPrint } from './cli/acls.ts';
import { consumersAdopt, consumersList, consumersRetire } from './cli/consumers.ts';
import { deadLettersList, deadLettersShow } from './cli/dead-letters.ts';
import { deadLettersDiscard } from './cli/discard.ts';
import { eventsShow, eventsTail } from './cli/events.ts';
import { keysList, keysRewrap } from './cli/keys.ts';
import { migrateNow, migrateStatus } from './cli/migrate.ts';
import { migrateCheck, migrateNew } from './cli/migrate-new.ts';
import { UsageError } from './cli/output.ts';
import { projectionsList, projectionsRebuild, projectionsVerify } from './cli/projections.ts';
import { deadLettersRedrive } from './cli/redrive.ts';
import { eventsRepublish, eventsRestore, eventsVerify } from './cli/restore.ts';
import { rolesApply, rolesPrint } from './cli/roles.ts';
import { topicsApply } from './cli/topics.ts';
import { eventsTrace } from './cli/trace.ts';
import { declarations } from './installation.ts';
import { startAll } from './start-all.ts';
import { startGateway } from './start-gateway.ts';
import { startService } from './start-service.ts';

const program = new Command('taskwire')
  .description('Users and tasks as event-sourced services.')
  .version('0.1.0')
  .exitOverride()
  .addHelpText('after', '\nSettings come from the environment and a .env file; .env.example lists them all.')
  .addHelpText(
    'after',
    'Ends with 0, with 1 for what is not there or failed, and with 2 for what cannot be asked like that.',
  );

/** What stands under a command's help. */
const examples = (...lines: readonly string[]): string =>
  ['', 'Examples:', ...lines.map((line) => `  $ ${line}`)].join('\n');
const AS_JSON = ['--json', 'print JSON, for scripts'] as const;

const STARTS = {
  all: startAll,
  gateway: startGateway,
  user: startService('user'),
  task: startService('task'),
  notification: startService('notification'),
};
program
  .command('start')
  .description('run everything in this process, or one part of it alone')
  .addArgument(new Argument('[what]', 'what this process serves').choices(Object.keys(STARTS)).default('all'))
  .addHelpText(
    'after',
    '\nOne service alone needs DB_HOST, and a schema that `taskwire migrate` brings: it waits for both.\n' +
      examples('taskwire start', 'DB_HOST=db.example.org taskwire start task'),
  )
  .action((what: keyof typeof STARTS) => startProcess(STARTS[what]));

const migrations = program.command('migrate').description('bring every schema up to date').action(migrateNow);
migrations.command('status').description('list the migrations, and when each was applied').action(migrateStatus);
migrations
  .command('check')
  .description('see that migrations make the tables that code declares, and that none locks or rewrites a large one')
  .addHelpText('after', '\nNo database is asked: one is made for it, and thrown away.')
  .action(migrateCheck);
migrations
  .command('new')
  .description('write a migration: an empty one, or what makes the tables of a service those that its code declares')
  .addOption(
    new Option('--service <name>', 'whose').choices(declarations().map(({ service }) => service)).makeOptionMandatory(),
  )
  .requiredOption('-m, --message <words>', 'what it is for: its head, and its name')
  .option('--autogenerate', 'from the declarations')
  .option('--drop', 'drop what is not declared any more, too: its data is lost')
  .addHelpText(
    'after',
    examples(
      'taskwire migrate new --service task --autogenerate -m "how long a task takes"',
      'taskwire migrate new --service user -m "mend what 0.3 broke"',
    ),
  )
  .action(migrateNew);

const topics = program.command('topics').description('look after the topics of the broker');
topics
  .command('apply')
  .description('make the topics that are missing, and set right how they are kept')
  .option(...AS_JSON)
  .addHelpText('after', examples('KAFKA_BOOTSTRAP_SERVERS=kafka.example.org:9092 taskwire topics apply'))
  .action(topicsApply);

const acls = program.command('acls').description('give each service its rights on a broker that asks who somebody is');
const PRINCIPAL = [
  '--principal <who=name...>',
  'who the broker knows a service, or the operators, as; by default user-service, …, operators',
] as const;
acls
  .command('print')
  .description('print the commands of Kafka’s own tool for it')
  .option(...PRINCIPAL)
  .addHelpText('after', examples('taskwire acls print --principal user=taskwire-user operators=ada'))
  .action(aclsPrint);
acls
  .command('apply')
  .description('grant what lacks, and take away what these principals have beyond; as somebody who may')
  .option(...PRINCIPAL)
  .option(...AS_JSON)
  .addHelpText('after', examples('KAFKA_USERNAME=admin taskwire acls apply'))
  .action(aclsApply);

const roles = program.command('roles').description('give each service a login with the rights that it needs');
const PASSWORDS = ['--passwords <file>', 'lines of login=password; by default each keeps the one that it has'] as const;
roles
  .command('print')
  .description('print the SQL for it; it holds what a server keeps of a password, not the password')
  .option(...PASSWORDS)
  .addHelpText('after', examples('taskwire roles print --passwords logins.txt | psql taskwire'))
  .action(rolesPrint);
roles
  .command('apply')
  .description('make the logins, as DB_USER, and take away what they have beyond; after `taskwire migrate`')
  .option(...PASSWORDS)
  .addHelpText('after', examples('taskwire roles apply --passwords logins.txt'))
  .action(rolesApply);

const keys = program.command('keys').description('put a new MASTER_KEY or PASSWORD_PEPPER in the place of an old one');
keys
  .command('list')
  .description('list the secrets of both, and how much still needs each: what nothing needs may be taken out')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire keys list'))
  .action(keysList);
keys
  .command('rewrap')
  .description('wrap every key of personal data with the first secret of MASTER_KEY, while everything runs')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    '\nEvery process must have the new secret first in its MASTER_KEY by then. Twice is once.\n' +
      examples('MASTER_KEY=NEW,OLD taskwire keys rewrap'),
  )
  .action(keysRewrap);

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

events
  .command('trace <id>')
  .description('print what one request led to, over all services: events, what was made of them, what is parked')
  .option('--open', 'print data too, with personal fields opened')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    "\n<id> is the X-Request-Id of an answer. An event's id, a stream, or one event of it will do too.\n" +
      examples(
        'taskwire events trace 01a20b7c-3bdf-75c8-a459-77b67c146d45',
        'taskwire events trace task-01a20b7c-3db8-768a-a962-fa75390827db@2 --open',
      ),
  )
  .action(eventsTrace);

events
  .command('verify')
  .description('prove that store and broker hold the same events, by a digest of each stream')
  .requiredOption('--from <bus>', 'what to compare with: kafka')
  .option('--service <name>', 'of this service alone')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events verify --from kafka'))
  .action(eventsVerify);
events
  .command('restore')
  .description(
    'bring back from the broker what a service’s store lacks since it was set back; the service must be stopped',
  )
  .requiredOption('--from <bus>', 'where from: kafka')
  .requiredOption('--service <name>', 'whose store')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events restore --from kafka --service task'))
  .action(eventsRestore);
events
  .command('republish')
  .description(
    'empty a service’s topics and publish all that it ever said once more, for a broker that lost some of it; the service must be stopped',
  )
  .requiredOption('--to <bus>', 'where to: kafka')
  .requiredOption('--service <name>', 'whose events')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events republish --to kafka --service task'))
  .action(eventsRepublish);

const consumers = program.command('consumers').description('look after those who hear of events');
consumers
  .command('list')
  .description('list them: where each stands, how far that is behind, what is parked, who reads for it')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire consumers list', 'taskwire consumers list --json | jq \'.[] | select(.state != "ok")\''),
  )
  .action(consumersList);
consumers
  .command('adopt <old> <new>')
  .description('after a consumer was renamed: the new name goes on where the old one stood, with its dead letters')
  .addHelpText('after', examples('taskwire consumers adopt notification.greeting notification.people'))
  .action(consumersAdopt);
consumers
  .command('retire <name>')
  .description('after a consumer was removed: forgets for good where it stood, and its dead letters')
  .option('--yes', 'it is meant: without it, nothing is done')
  .addHelpText('after', examples('taskwire consumers retire notification.greeting --yes'))
  .action(consumersRetire);

const deadLetters = program.command('dead-letters').description('look after what consumers could not handle');
deadLetters
  .command('list')
  .description('list the keys of which an event could not be handled, and what waits behind it')
  .option('-c, --consumer <name>', 'those of one consumer')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire dead-letters list', 'taskwire dead-letters list --consumer notification.people --json'),
  )
  .action(deadLettersList);
const TOPIC = ['--topic <topic>', 'where a key is parked of several topics'] as const;
const ONE_KEY = 'notification.people 01a20b7c-3bdf-75c8-a459-77b67c146d45';
deadLetters
  .command('show <consumer> <key>')
  .description('print what is parked of a key, in its order, and why')
  .option('--open', 'open personal fields instead of showing them sealed')
  .option(...TOPIC)
  .option(...AS_JSON)
  .addHelpText('after', examples(`taskwire dead-letters show ${ONE_KEY}`))
  .action(deadLettersShow);
deadLetters
  .command('redrive [consumer] [key]')
  .description('have a key handled again, or all of a consumer, or all; the running process does it')
  .option('--all', 'of all consumers')
  .option('-w, --wait', 'wait until each is settled or has failed again, and say which')
  .option(...TOPIC)
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples(
      `taskwire dead-letters redrive ${ONE_KEY} --wait`,
      'taskwire dead-letters redrive notification.people',
      'taskwire dead-letters redrive --all',
    ),
  )
  .action(deadLettersRedrive);
deadLetters
  .command('discard <consumer> <key>')
  .description('give up the first parked event of a key, so that what waits behind it goes on')
  .option('--all-events', 'give up all that is parked of the key')
  .option('--event <id>', 'only if this is the first one still: so that repeating the command discards no other')
  .option('--yes', 'it is meant: without it, nothing is done')
  .option(...TOPIC)
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples(`taskwire dead-letters discard ${ONE_KEY}`, `taskwire dead-letters discard ${ONE_KEY} --yes`),
  )
  .action(deadLettersDiscard);

const projections = program.command('projections').description('look after the tables that are made from events');
projections
  .command('list')
  .description('list them, with their rows and what is under way')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire projections list', 'taskwire projections list --json | jq \'.[] | select(.state != "ok")\''),
  )
  .action(projectionsList);
projections
  .command('rebuild <name>')
  .description('make one anew from its streams, beside the one that serves')
  .action(projectionsRebuild);
projections
  .command('verify <name>')
  .description('compare each row of one with its stream')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire projections verify task_list'))
  .action(projectionsVerify);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2); // it has said what is wrong, or helped
  process.stderr.write(`taskwire: ${errorInWords(error)}\n`);
  process.exit(error instanceof ConfigurationError || error instanceof UsageError ? 2 : 1);
}
