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
import { projectionNames, projectionsList, projectionsRebuild, projectionsVerify } from './cli/projections.ts';
import { deadLettersRedrive } from './cli/redrive.ts';
import { eventsRepublish, eventsRestore, eventsVerify } from './cli/restore.ts';
import { rolesApply, rolesPrint } from './cli/roles.ts';
import { topicsApply } from './cli/topics.ts';
import { eventsTrace } from './cli/trace.ts';
import { SERVICES } from './installation.ts';
import { ABOUT, PRODUCT } from './product.ts';
import { startAll } from './start-all.ts';
import { startGateway } from './start-gateway.ts';
import { startService } from './start-service.ts';

const program = new Command('taskwire')
  .description(ABOUT)
  .version(PRODUCT.version)
  .exitOverride()
  .addHelpText(
    'after',
    '\nSettings come from the environment and a .env file; .env.example lists them all, docs/configuration.md explains them.',
  )
  .addHelpText('after', 'Exit status: 0 done, 1 failed or not found, 2 wrong usage or settings.');

/** What stands under a command's help. */
const examples = (...lines: readonly string[]): string =>
  ['', 'Examples:', ...lines.map((line) => `  $ ${line}`)].join('\n');
const AS_JSON = ['--json', 'print JSON, for scripts'] as const;
const OPEN = ['--open', 'show personal fields in clear instead of sealed'] as const;
const YES = ['--yes', 'confirm; without it nothing is done'] as const;
const SERVICE_NAMES = SERVICES.map(({ name }) => name);
/** What --from and --to name; stores are compared with, and filled from, a broker alone. */
const BUSES = ['kafka'];

const STARTS = {
  all: startAll,
  gateway: startGateway,
  user: startService('user'),
  task: startService('task'),
  notification: startService('notification'),
};
program
  .command('start')
  .description('run everything in this process, or one part alone')
  .addArgument(new Argument('[what]', 'what this process serves').choices(Object.keys(STARTS)).default('all'))
  .addHelpText(
    'after',
    '\nOne service alone needs DB_HOST, and a schema that `taskwire migrate` brings: it waits for both.\n' +
      examples('taskwire start', 'DB_HOST=db.example.org taskwire start task'),
  )
  .action((what: keyof typeof STARTS) => startProcess(STARTS[what]));

const migrations = program
  .command('migrate')
  .description('bring every schema up to date')
  .addHelpText('after', examples('taskwire migrate', 'DB_HOST=db.example.org taskwire migrate'))
  .action(migrateNow);
migrations
  .command('status')
  .description('list the migrations, and when each was applied')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire migrate status', "taskwire migrate status --json | jq '.[] | select(.appliedAt == null)'"),
  )
  .action(migrateStatus);
migrations
  .command('check')
  .description('check that migrations make the tables that code declares, and that none locks or rewrites a large one')
  .addHelpText('after', '\nYour database is left alone: one is made for this, and thrown away.')
  .action(migrateCheck);
migrations
  .command('new')
  .description('write a migration: an empty one, or one that brings the tables of a service to what its code declares')
  .addOption(new Option('--service <name>', 'whose').choices(SERVICE_NAMES).makeOptionMandatory())
  .requiredOption('-m, --message <words>', 'what it is for: its first line, and its name')
  .option('--autogenerate', 'write what the declarations ask for')
  .option('--drop', 'also drop what is no longer declared: its data is lost')
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
  .description('create missing topics, and correct how long each keeps its events')
  .option(...AS_JSON)
  .addHelpText('after', examples('KAFKA_BOOTSTRAP_SERVERS=kafka.example.org:9092 taskwire topics apply'))
  .action(topicsApply);

const acls = program
  .command('acls')
  .description('give each service its rights on a broker that asks who is connecting');
const PRINCIPAL = [
  '--principal <who=name...>',
  'the name by which the broker knows user, task, notification or operators; by default user-service, task-service, notification-service and operators',
] as const;
acls
  .command('print')
  .description('print the commands for Kafka’s own tool')
  .option(...PRINCIPAL)
  .addHelpText('after', examples('taskwire acls print --principal user=taskwire-user operators=ada'))
  .action(aclsPrint);
acls
  .command('apply')
  .description(
    'grant what is missing and revoke what these principals have beyond it; needs a principal that may alter ACLs',
  )
  .option(...PRINCIPAL)
  .option(...AS_JSON)
  .addHelpText('after', examples('KAFKA_USERNAME=admin taskwire acls apply'))
  .action(aclsApply);

const roles = program.command('roles').description('give each service a login with the rights that it needs');
const PASSWORDS = [
  '--passwords <file>',
  'a file with lines of login=password; by default each login keeps the password that it has',
] as const;
roles
  .command('print')
  .description('print the SQL for it; in place of passwords it holds what a server stores of them')
  .option(...PASSWORDS)
  .addHelpText('after', examples('taskwire roles print --passwords logins.txt | psql taskwire'))
  .action(rolesPrint);
roles
  .command('apply')
  .description('as DB_USER, create the logins and revoke what they have beyond their rights; after `taskwire migrate`')
  .option(...PASSWORDS)
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire roles apply --passwords logins.txt'))
  .action(rolesApply);

const keys = program.command('keys').description('replace MASTER_KEY or PASSWORD_PEPPER with a new one');
keys
  .command('list')
  .description('list the secrets in both, and how much still needs each; one that nothing needs may be taken out')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire keys list'))
  .action(keysList);
keys
  .command('rewrap')
  .description('wrap every key of personal data with the first secret of MASTER_KEY, while everything runs')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    '\nBy then every process must have the new secret first in its MASTER_KEY. Running it twice does no harm.\n' +
      examples('set -a; . ./prod.env; set +a; taskwire keys rewrap'),
  )
  .action(keysRewrap);

const events = program.command('events').description('look into the event stores');
events
  .command('show <stream>')
  .description('print the events of one stream, such as task-01939d5e-…')
  .option(...OPEN)
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples(
      'taskwire events show task-01a20b7c-3db8-768a-a962-fa75390827db',
      'taskwire events show task-01a20b7c-3db8-768a-a962-fa75390827db --open --json',
    ),
  )
  .action(eventsShow);
events
  .command('tail')
  .description('print the newest events of all services, those of each in their order')
  .option('-n, --lines <count>', 'how many to begin with', '10')
  .option('-f, --follow', 'go on printing events as they are committed')
  .option(...OPEN)
  .option('--json', 'print JSON, for scripts: a line for each event')
  .addHelpText('after', examples('taskwire events tail -n 20', 'taskwire events tail --follow --json | jq -r .type'))
  .action(eventsTail);

events
  .command('trace <id>')
  .description('print what one request led to, over all services: events, what was made of them, what is parked')
  .option('--open', 'print data too, with personal fields in clear')
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
  .addOption(new Option('--from <bus>', 'what to compare with').choices(BUSES).makeOptionMandatory())
  .addOption(new Option('--service <name>', 'only this one').choices(SERVICE_NAMES))
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events verify --from kafka'))
  .action(eventsVerify);
events
  .command('restore')
  .description(
    'bring back from the broker what a service’s store lost when an older backup was restored; the service must be stopped',
  )
  .addOption(new Option('--from <bus>', 'where from').choices(BUSES).makeOptionMandatory())
  .addOption(new Option('--service <name>', 'whose store').choices(SERVICE_NAMES).makeOptionMandatory())
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events restore --from kafka --service task'))
  .action(eventsRestore);
events
  .command('republish')
  .description(
    'empty a service’s topics and publish all its events once more, for a broker that lost some; the service must be stopped',
  )
  .addOption(new Option('--to <bus>', 'where to').choices(BUSES).makeOptionMandatory())
  .addOption(new Option('--service <name>', 'whose events').choices(SERVICE_NAMES).makeOptionMandatory())
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire events republish --to kafka --service task'))
  .action(eventsRepublish);

const consumers = program.command('consumers').description('look after the consumers of events');
consumers
  .command('list')
  .description('list them: where each stands, how far behind it is, what is parked, and whether a process reads for it')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire consumers list', 'taskwire consumers list --json | jq \'.[] | select(.state != "ok")\''),
  )
  .action(consumersList);
consumers
  .command('adopt <old> <new>')
  .description('after a consumer was renamed: let the new name go on where the old one stood, with its dead letters')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire consumers adopt notification.greeting notification.people'))
  .action(consumersAdopt);
consumers
  .command('retire <name>')
  .description('after a consumer was removed: forget for good where it stood, and its dead letters')
  .option(...YES)
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire consumers retire notification.greeting --yes'))
  .action(consumersRetire);

const deadLetters = program.command('dead-letters').description('look after events that consumers could not handle');
deadLetters
  .command('list')
  .description('list the keys with an event that could not be handled, and how much waits behind it')
  .option('-c, --consumer <name>', 'only those of this consumer')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire dead-letters list', 'taskwire dead-letters list --consumer notification.people --json'),
  )
  .action(deadLettersList);
const TOPIC = ['--topic <topic>', 'which topic, where the key is parked from several'] as const;
const ONE_KEY = 'notification.people 01a20b7c-3bdf-75c8-a459-77b67c146d45';
deadLetters
  .command('show <consumer> <key>')
  .description('print what is parked of a key, in order, and why')
  .option(...OPEN)
  .option(...TOPIC)
  .option(...AS_JSON)
  .addHelpText('after', examples(`taskwire dead-letters show ${ONE_KEY}`))
  .action(deadLettersShow);
deadLetters
  .command('redrive [consumer] [key]')
  .description('have one key handled again, or all keys of a consumer, or all; the running process does it')
  .option('--all', 'all keys of all consumers')
  .option('-w, --wait', 'wait until each has been handled or has failed again, and say which')
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
  .option('--all-events', 'give up everything that is parked of the key')
  .option('--event <id>', 'only if this is still the first one, so that repeating the command discards no other')
  .option(...YES)
  .option(...TOPIC)
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples(`taskwire dead-letters discard ${ONE_KEY}`, `taskwire dead-letters discard ${ONE_KEY} --yes`),
  )
  .action(deadLettersDiscard);

const PROJECTION = `one of ${projectionNames().join(', ')}`;
const projections = program.command('projections').description('look after the tables that are made from events');
projections
  .command('list')
  .description('list them, with how many rows each has and what is under way')
  .option(...AS_JSON)
  .addHelpText(
    'after',
    examples('taskwire projections list', 'taskwire projections list --json | jq \'.[] | select(.state != "ok")\''),
  )
  .action(projectionsList);
projections
  .command('rebuild')
  .argument('<name>', PROJECTION)
  .description('build one anew from its streams, beside the one in use, which it then replaces')
  .option(...AS_JSON)
  .addHelpText('after', examples('taskwire projections rebuild task_list'))
  .action(projectionsRebuild);
projections
  .command('verify')
  .argument('<name>', PROJECTION)
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
