/**
 * Which consumers a service has, by name, and where each began. The names in the database must be those of the code: a
 * consumer that was renamed would begin anew beside its old self and do everything again, and one that vanished would
 * leave its dead letters behind. So a name that is not declared any more stops the start until somebody says what became
 * of it: adopted under a new name, or retired.
 */
import type { FeedPosition } from '../event-store/event.ts';
import { FEED_START } from '../event-store/event.ts';
import { type Database, statement } from '../sql/database.ts';
import type { Consumer } from './consumer.ts';

const REGISTERED = statement(
  'consumers-registered',
  'select name, registered_at as "registeredAt" from consumer order by name',
);
const REGISTER = statement(
  'consumer-register',
  `with named as (insert into consumer (name, begins) values ($1, $2) on conflict do nothing)
   select begins from consumer where name = $1`,
);
const SOURCE = statement(
  'consumer-source',
  `insert into consumer_source (consumer, source, start_era, start_tx, start_position)
   values ($1, $2, $3, $4::xid8, $5) on conflict do nothing`,
);
const KNOWN_SOURCE = statement(
  'consumer-known-source',
  'select from consumer_source where consumer = $1 and source = $2',
);
const RETIRE = statement(
  'consumer-retire',
  `with lease as (delete from consumer_lease where consumer = $1)
   delete from consumer where name = $1 returning name`,
);
const ADOPT = statement(
  'consumer-adopt',
  `with lease as (delete from consumer_lease where consumer = $1)
   update consumer set name = $2 where name = $1 and not exists (select from consumer where name = $2) returning name`,
);

/** A name in the database that the code does not declare. `free`: those that it declares and that stand nowhere yet. */
class ConsumerVanished extends Error {
  override readonly name = 'ConsumerVanished';
  constructor(vanished: readonly string[], declared: readonly string[], free: readonly string[]) {
    const [first = ''] = vanished;
    const prefix = first.split('.', 1)[0] ?? '';
    const renamed = `If it was renamed: taskwire consumers adopt ${first} ${prefix}.<new name>; if`;
    super(
      `${vanished.join(', ')} reads events here, but this release declares no such consumer (it has ${declared.join(', ') || 'none'}). ` +
        `${free.length > 0 ? renamed : 'If'} it is gone for good: taskwire consumers retire ${first} --yes`,
    );
  }
}

const registeredConsumers = async (database: Database): Promise<readonly string[]> =>
  (await database.read<{ name: string }>(REGISTERED, [])).map(({ name }) => name);

/** Throws ConsumerVanished. Consumers that are new are no fault: they are registered when they first look at a source. */
export const checkConsumers = async (database: Database, declared: readonly string[]): Promise<void> => {
  const registered = await registeredConsumers(database);
  const vanished = registered.filter((name) => !declared.includes(name));
  const free = declared.filter((name) => !registered.includes(name));
  if (vanished.length > 0) throw new ConsumerVanished(vanished, declared, free);
};

/** Registers a consumer for a source, at the place where it begins; where it is registered already, nothing changes. */
export const register = async (
  database: Database,
  { name, begins }: Pick<Consumer, 'name' | 'begins'>,
  source: string,
  end: () => Promise<FeedPosition>,
): Promise<void> => {
  await database.write(REGISTER, [name, begins]);
  if ((await database.read(KNOWN_SOURCE, [name, source])).length > 0) return;
  const { era, tx, position } = begins === 'now' ? await end() : FEED_START;
  await database.write(SOURCE, [name, source, era, tx, position]);
};

/** Forgets where it stood, and its dead letters. False where no such consumer is registered. */
export const retireConsumer = async (database: Database, name: string): Promise<boolean> =>
  (await database.write(RETIRE, [name])).length > 0;

/** Goes on under another name. False where `from` is not registered, or `to` is. */
export const adoptConsumer = async (database: Database, from: string, to: string): Promise<boolean> =>
  (await database.write(ADOPT, [from, to])).length > 0;
