/** Whether it was done within so many ms; rejects as it does. What is late goes on, and nobody hears of it. */
export const inTime = async (ms: number, doing: Promise<unknown>): Promise<boolean> => {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([doing.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
};
