export const ROOT = new URL('..', import.meta.url).pathname;
export const PEERS = `${ROOT}bench/peers`;
/** Installed peers, logs, and the data of a run while it runs. */
export const CACHE = `${ROOT}bench/.cache`;
