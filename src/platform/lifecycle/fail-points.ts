/** Durable steps at which tests kill the process, as a power cut would: `FAIL_POINT=after-append` or `after-append:7`. */
export const killAt = (failPoint: string | undefined): ((name: string) => void) => {
  if (failPoint === undefined) return () => undefined;
  const [wanted, times = '1'] = failPoint.split(':');
  let left = Number(times);
  return (name) => {
    if (name !== wanted) return;
    left -= 1;
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
  };
};
