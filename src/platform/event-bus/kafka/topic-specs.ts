/** Which topics there are. Apart from topics.ts, which loads the broker's client. */
export type TopicSpec = {
  readonly name: string;
  /** A power of two up to 64: each of the 64 lanes lies on one partition. */
  readonly partitions: number;
  readonly replicas: number;
};
/** The public topics of the services, their private ones, and what operators do. */
export const topicsOfServices = (services: readonly string[], shape: Omit<TopicSpec, 'name'>): readonly TopicSpec[] =>
  [...services.flatMap((service) => [`${service}.events`, `${service}.events.private`]), 'system.events'].map(
    (name) => ({
      name,
      ...shape,
    }),
  );
