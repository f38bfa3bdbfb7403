import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { handle } from '../../../src/platform/commit/command-handler.ts';
import type { ServiceKit } from '../../../src/platform/lifecycle/service-kit.ts';
import { inlineReadModel } from '../../../src/platform/read-models/inline.ts';
import { type Progress, type RebuildOptions, rebuild } from '../../../src/platform/read-models/rebuild.ts';
import { claimRebuild, RebuildRunning, rebuildState } from '../../../src/platform/read-models/rebuild-state.ts';
import { type Difference, verify } from '../../../src/platform/read-models/verify.ts';
import { type Database, openDatabase } from '../../../src/platform/sql/database.ts';
import { type Bed, upTo } from '../bed.ts';
import { appendTo, commitOf, context, NOTE_EVENTS, notes, noteTable, openNotes, SCHEMA } from '../notes.ts';

/** What a rebuild promises, on whatever server. */
export const rebuildSuite = (bed: Bed): void => {
  const model = inlineReadModel(notes);
  let owner: Database;
  let kit: ServiceKit;
  beforeAll(async () => {
    owner = openDatabase({
      address: bed.address(),
      schema: SCHEMA,
      statementTimeout: 0,
      applicationName: 'owner',
      connections: 1,
    });
    kit = openNotes(bed.address()); // outlives the tests: what it has prepared stays prepared
    await bed.sql(`
    alter table note_list set (fillfactor = 80, autovacuum_enabled = false);
    alter table note_list add constraint "note words" check (text <> 'forbidden');
    create index note_list_long on note_list (length desc, id) where length > 10;
    create unique index "note List Order" on note_list (lower(text), id);
    alter table note_list add constraint note_list_twin unique (id, version);
    create role note_reader_${suffix}; grant select on note_list to note_reader_${suffix} with grant option`);
  });
  const suffix = randomUUID().slice(0, 8);
  afterAll(async () => {
    await Promise.all([owner.close(), kit.close()]);
    await bed.sql(`drop owned by note_reader_${suffix}; drop role note_reader_${suffix}`);
  });

  const remake = (options: Partial<RebuildOptions> = {}) =>
    rebuild({ database: owner, opening: kit.commands, model, ...options });
  const differences = (): Promise<readonly Difference[]> => verify(owner, kit.commands, model);
  const write = async (text = 'words', ownerId: string = randomUUID()): Promise<string> => {
    const id = randomUUID();
    const outcome = await handle(kit.commands, notes, id, { type: 'Write', ownerId, text }, context(), { isNew: true });
    expect(outcome.kind).toBe('done');
    return id;
  };
  const extend = async (id: string, text = ' more'): Promise<string> =>
    (await handle(kit.commands, notes, id, { type: 'Extend', text }, context())).kind;
  const rowOf = async (id: string) => (await kit.database.read<{ text: string }>(noteTable.find, [[id]]))[0];
  /** Streams of one clear event each, with their rows, so many that folding them takes a while. */
  const seed = async (count: number): Promise<readonly string[]> => {
    const ids = Array.from({ length: count }, () => randomUUID());
    for (let n = 0; n < count; n += 500) {
      const some = ids.slice(n, n + 500);
      const writes = some.map((id) => ({ upsert: noteTable, row: { id, version: 1, text: 'words', length: 5 } }));
      const commit = { ...commitOf(...some.map((id) => appendTo(`note-${id}`, 0))), writes };
      expect(await kit.commands.executor.commit(commit)).toMatchObject({ verdict: 'accepted' });
    }
    return ids;
  };

  describe('after a rebuild the read model is what its streams say', () => {
    test('a damaged row is repaired, a lost one is there, one without a stream is gone', async () => {
      const [damaged, lost, sound, surplus] = [await write(), await write(), await write('sound'), randomUUID()];
      expect(await differences()).toEqual([]);
      await bed.sql(`update note_list set text = 'forged' where id = $1`, [damaged]);
      await bed.sql('delete from note_list where id = $1', [lost]);
      await bed.sql('insert into note_list values ($1, 1, null, 0)', [surplus]);
      expect(new Set(await differences())).toEqual(
        new Set([
          { id: damaged, fault: 'different' },
          { id: lost, fault: 'missing' },
          { id: surplus, fault: 'surplus' },
        ]),
      );
      await remake();
      expect(await differences()).toEqual([]);
      expect([await rowOf(damaged), await rowOf(lost), await rowOf(sound), await rowOf(surplus)]).toMatchObject([
        { text: 'words' },
        { text: 'words' },
        { text: 'sound' },
        undefined,
      ]);
    });

    test('under writers of old and new notes and under readers, none of whom fails, again and again', async () => {
      const old = await seed(3_000);
      let going = true;
      const told: string[] = [];
      const slowest = { write: 0, read: 0 };
      const timed = async <T>(what: keyof typeof slowest, act: () => Promise<T>): Promise<T> => {
        const began = performance.now();
        const result = await act();
        slowest[what] = Math.max(slowest[what], performance.now() - began);
        return result;
      };
      const writer = async (n: number) => {
        for (let round = 0; going; round += 1) {
          const id = round % 2 ? await timed('write', () => write()) : (old[(round * 7 + n) % old.length] ?? '');
          told.push(await timed('write', () => extend(id)));
        }
      };
      const reader = async () => {
        while (going) {
          const [row] = await timed('read', () => kit.database.read<{ id: string }>(noteTable.find, [[old[0]]]));
          expect(row?.id).toBe(old[0]);
        }
      };
      const working = [...upTo(8).map(writer), reader()];
      const seen: { readonly before: number; readonly during: number; readonly held: number }[] = [];
      try {
        for (const _ of upTo(4)) {
          const before = told.length;
          const { held } = await remake();
          seen.push({ before, during: told.length - before, held });
          expect(await differences()).toEqual([]);
        }
      } finally {
        going = false;
      }
      await Promise.all(working);
      expect(await differences()).toEqual([]);
      expect(new Set(told)).toEqual(new Set(['done']));
      for (const { during, held } of seen) {
        expect(during, 'writes while it was rebuilt').toBeGreaterThan(20);
        expect(held).toBeLessThan(1_000);
      }
    });

    test('a commit that has appended before the switch, and writes its row after it, writes it to the new table', async () => {
      const id = await write();
      const session = await kit.database.openSession();
      await session.query('set idle_in_transaction_session_timeout = 0; begin');
      await appendBy(session, id, 2);
      await remake();
      await session.query(noteTable.upsert, [JSON.stringify([{ id, version: 2, text: 'late', length: 4 }])]);
      expect(await session.query('commit')).toMatchObject({ command: 'COMMIT' });
      await session.close();
      expect(await rowOf(id)).toMatchObject({ version: 2, text: 'late' });
    });

    test('a commit that had begun before it and ended while it ran is in it, whoever else holds a transaction open', async () => {
      const id = await write();
      const [session, holder] = [await kit.database.openSession(), await kit.database.openSession()];
      for (const one of [session, holder]) await one.query(`set idle_in_transaction_session_timeout = 0; begin`);
      await holder.query('select pg_current_xact_id()');
      await appendBy(session, id, 2);
      let told = 0;
      await remake({
        report: ({ step }) => {
          if (step === 'index' && told++ === 0) void session.query('commit'); // its stream was folded without it
        },
      });
      expect(await rowOf(id)).toMatchObject({ version: 2 });
      for (const one of [session, holder]) await one.close();
    });

    test('it appends nothing, so nobody is told or sent anything for it', async () => {
      await write();
      const { store } = kit.commands;
      const [newest] = await store.newest(1);
      await remake();
      expect(await store.newest(1)).toEqual([newest]);
    });

    test('a person whose key was destroyed is nobody in it', async () => {
      const [erased, other] = [randomUUID(), randomUUID()];
      const [gone, kept] = [await write('a secret', erased), await write('a secret', other)];
      await bed.sql('update keys.subject_key set wrapped = null, destroyed_at = now() where subject = $1', [erased]);
      const later = bed.open(); // a process of today: this one may know the key for some minutes
      await rebuild({ database: owner, opening: later.commands, model });
      expect([await rowOf(gone), await rowOf(kept)]).toMatchObject([{ text: null, length: 0 }, { text: 'a secret' }]);
    });
  });

  /** As a process appends that stops between the two trips of its commit. */
  const appendBy = async (session: Awaited<ReturnType<Database['openSession']>>, id: string, version: number) => {
    const events = [{ n: 0, ...appendTo(`note-${id}`, version - 1).events[0] }];
    const streams = [{ n: 0, stream: `note-${id}`, expected: version - 1, shared: false, first: events[0]?.id }];
    // Without parameters, for a portal would keep its snapshot, and an index that is made concurrently waits for those.
    const json = [streams, [], [], [], events].map((argument) => `'${JSON.stringify(argument)}'`);
    await session.query(`select append(current_era(), ${json.join(', ')})`);
  };

  /** What the catalogue says of the table, asked in another way than the rebuild asks it. */
  const described = async (): Promise<unknown> => {
    const one = async (text: string) => (await bed.sql(text)).map((row) => Object.values(row).join(' | '));
    const table = `'${SCHEMA}.note_list'::regclass`;
    return {
      owner: await one(`select tableowner, hasindexes, hastriggers from pg_tables where tablename = 'note_list'`),
      options: await one(`select unnest(reloptions) from pg_class where oid = ${table} order by 1`),
      columns: await one(`select column_name, udt_name, collation_name, is_nullable, column_default
      from information_schema.columns where table_name = 'note_list' order by ordinal_position`),
      indexes: await one(`select indexname, indexdef from pg_indexes where tablename = 'note_list' order by 1`),
      valid: await one(
        `select indexrelid::regclass, indisvalid, indisready from pg_index where indrelid = ${table} order by indexrelid::regclass::text`,
      ),
      constraints: await one(`select conname, contype, pg_get_constraintdef(oid) from pg_constraint
      where conrelid = ${table} order by 1`),
      rights: await one(`select grantee, grantor, privilege_type, is_grantable
      from information_schema.role_table_grants where table_name = 'note_list' order by 1, 3`),
      tables: await one(`select relname from pg_class where relnamespace = '${SCHEMA}'::regnamespace
      and relname like '%note%' order by 1`),
    };
  };

  describe('the new table is the old one in all but its rows', () => {
    test('columns, indexes, constraints, owner and rights have the names and meanings that they had', async () => {
      await write();
      const before = await described();
      expect(before).toMatchObject({
        options: ['autovacuum_enabled=false', 'fillfactor=80'],
        indexes: { length: 4 },
        rights: expect.arrayContaining([expect.stringContaining('note_reader'), expect.stringContaining(SCHEMA)]),
      });
      await remake();
      expect(await described()).toEqual(before);
      await remake();
      expect(await described()).toEqual(before);
    });

    test.each([
      {
        has: 'trigger note_touched',
        by: 'create trigger note_touched before update on note_list for each row execute function refuse_change()',
        not: 'drop trigger note_touched on note_list',
      },
      {
        has: 'view note_view',
        by: 'create view note_view as select id, text from note_list',
        not: 'drop view note_view',
      },
      {
        has: 'constraint note_answer',
        by: 'create table note_child (note uuid constraint note_answer references note_list)',
        not: 'drop table note_child',
      },
      {
        has: 'policy note_policy',
        by: 'create policy note_policy on note_list using (true)',
        not: 'drop policy note_policy on note_list',
      },
      {
        has: 'rights on column text',
        by: `grant select (text) on note_list to ${SCHEMA}`,
        not: `revoke select (text) on note_list from ${SCHEMA}`,
      },
    ])('what a new table would lose is refused before anything is made: $has', async ({ has, by, not }) => {
      await bed.sql(by);
      try {
        await expect(remake()).rejects.toThrow(`a new note_list would lose what the old one has: ${has}`);
        expect(await rebuildState(await ownerSession(), 'note_list')).toMatchObject({ leftover: false });
      } finally {
        await bed.sql(not);
      }
    });

    test('a table that was migrated meanwhile keeps its new shape, and the rebuild says so', async () => {
      const id = await write();
      const change = onceAt('index', () => bed.sql('alter table note_list add column mood text'));
      await expect(remake({ report: change.report })).rejects.toThrow('note_list was changed while it was rebuilt');
      await change.done;
      expect(await rowOf(id)).toBeDefined();
      await bed.sql(`update note_list set mood = 'merry'`);
      await bed.sql('alter table note_list drop column mood');
      await remake();
      expect(await differences()).toEqual([]);
    });
  });

  /** Does something once, when a rebuild comes to a step. */
  const onceAt = (step: Progress['step'], act: () => Promise<unknown>) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let acted = false;
    const report = (progress: Progress): void => {
      if (acted || progress.step !== step) return;
      acted = true;
      resolve(act());
    };
    return { report, done: promise };
  };
  const ownerSession = async () => {
    const session = await owner.openSession();
    sessions.push(session);
    return session;
  };
  const sessions: Awaited<ReturnType<Database['openSession']>>[] = [];
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
  });

  describe('a rebuild that cannot be', () => {
    test('is refused while another one runs, and says so', async () => {
      const session = await ownerSession();
      await claimRebuild(session, 'note_list');
      expect(await rebuildState(session, 'note_list')).toMatchObject({ running: true, leftover: false });
      await expect(remake()).rejects.toThrow(RebuildRunning);
      await session.close();
      await remake();
      expect(await rebuildState(await ownerSession(), 'note_list')).toMatchObject({ running: false, leftover: false });
    });

    test('for an event that this release does not know leaves the table as it was, and says which', async () => {
      const id = await write();
      const { 'note.written': written = expect.fail() } = NOTE_EVENTS;
      const older = openNotes(bed.address(), { 'note.written': written });
      await extend(id);
      await expect(rebuild({ database: owner, opening: older.commands, model })).rejects.toThrow(
        /does not know note\.extended v1 \(note-.*@\d+\)/,
      );
      await older.close();
      expect(await rowOf(id)).toMatchObject({ version: 2 });
      expect(await rebuildState(await ownerSession(), 'note_list')).toMatchObject({ running: false, leftover: true });
      await remake();
      expect(await rebuildState(await ownerSession(), 'note_list')).toMatchObject({ leftover: false });
    });

    test('because somebody reads without end gives up, says so, and lets readers and writers through meanwhile', async () => {
      const id = await write();
      const holder = await ownerSession();
      await holder.query('set idle_in_transaction_session_timeout = 0');
      await holder.query('begin');
      await holder.query('select count(*) from note_list');
      let going = true;
      const told: string[] = [];
      const writing = (async () => {
        while (going) told.push(await extend(id));
      })();
      await expect(remake()).rejects.toThrow(/could not be switched: held by .* \(PostgreSQL process \d+/);
      going = false;
      await writing;
      expect(new Set(told)).toEqual(new Set(['done']));
      await holder.query('commit');
      await remake();
      expect(await differences()).toEqual([]);
    });
  });

  test('the progress is told step by step, and adds up', async () => {
    await seed(5_000);
    const [counted] = await bed.sql<{ rows: number; events: number }>(
      `select count(distinct stream)::int as rows, count(*)::int as events from event where stream like 'note-%'`,
    );
    const told: Progress[] = [];
    const rebuilt = await remake({ report: (progress) => told.push(progress) });
    expect(rebuilt).toMatchObject({ ...counted });
    const steps = told.map(({ step }) => step);
    expect(steps.filter((step, n) => step !== steps[n - 1])).toEqual(['fill', 'index', 'catch up', 'switch']);
    const fill = told.filter(({ step }) => step === 'fill');
    expect(fill.length).toBeGreaterThan(2);
    for (const [n, { events, rows, total }] of fill.entries()) {
      expect(total).toBe(counted?.events);
      expect(events).toBeGreaterThanOrEqual(fill[n - 1]?.events ?? 1);
      expect(rows).toBeLessThanOrEqual(events);
    }
  });
};
