/** kill -9 of everything, at random moments and at each durable step, under load. */
import { atLeast, scenario, type Topology } from '../kit/scenario.ts';
import { READ_MODELS_KEPT, readModelFigures } from '../load/read-models.ts';
import { PUBLISHED, publishedFigures } from '../load/records.ts';
import type { End } from '../load/storm.ts';
import { ALL_KEPT, NAIVE_CONSUMER_WRONG, trial } from '../load/trial.ts';
import { naiveServer } from './naive.ts';

const FAIL_POINTS = [
  'before-append',
  'after-append',
  'after-commit',
  'after-effect',
  'after-claim',
  'after-smtp',
] as const;

const isBrief = (form: 'short' | 'full', topology: Topology): boolean => form === 'short' && topology === 'distributed';

export const kills = scenario('kills', {
  promise:
    'what was acknowledged is kept, done once, and has its effects once and in order, however often everything is killed',
  run: async (stage) => {
    const { between } = stage.chance;
    const rounds = stage.form === 'full' ? 3 : 1;
    // Four processes take a while to start: what npm test shows of them is what one process cannot.
    const brief = isBrief(stage.form, stage.world.topology);
    const atRandom = Array.from({ length: brief ? 1 : 15 * rounds }, (): End => ({ after: between(0, 500) }));
    const everywhere = stage.world.topology === 'distributed' ? [...FAIL_POINTS, 'after-publish'] : FAIL_POINTS;
    const failPoints = brief ? ['after-publish', 'after-effect'] : everywhere;
    const atFailPoints = failPoints.flatMap((name) =>
      Array.from({ length: rounds }, (_, n): End => ({ failPoint: `${name}:${between(1, 5 + 25 * n)}` })),
    );
    const on = stage.world.topology === 'distributed' ? await stage.world.install() : undefined;
    const installation = on ?? (await stage.world.install());
    return trial(stage, {
      installation,
      ends: [...atRandom, ...atFailPoints],
      naive: on === undefined,
      afterwards: async () => ({ ...(await readModelFigures(installation)), ...(on && (await publishedFigures(on))) }),
    });
  },
  bounds: (form, topology) => ({
    kills: atLeast(isBrief(form, topology) ? 3 : 20),
    ...ALL_KEPT,
    ...READ_MODELS_KEPT,
    ...(topology === 'distributed' && PUBLISHED),
    ...(topology === 'embedded' && NAIVE_CONSUMER_WRONG),
    // It was under load, was cut off in the middle, and clients did come again.
    acknowledged: atLeast(form === 'full' ? 1_500 : 100),
    'not answered': atLeast(3),
    'retried to the end': atLeast(3),
    // Answers that a kill swallowed.
    ...(!isBrief(form, topology) && { 'unacknowledged but there': atLeast(1) }),
  }),
  controls: [
    naiveServer('a server that answers before it stores', 'answers-first', 'lost'),
    naiveServer('a server that forgets idempotency keys', 'forgets-keys', 'duplicate'),
  ],
});
