/** A small page for people, without scripts. Title and body are HTML of ours: nothing that comes from outside goes into it. */
export const page = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Taskwire</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: #f3f3f3; border-radius: 4px; padding: .1em .3em }
pre { padding: .8em; overflow-x: auto } a { color: #0645ad } td { padding: .2em 1em .2em 0; vertical-align: top }
time { white-space: nowrap } td:last-child { overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616 } code, pre { background: #262626 } a { color: #8ab4f8 } }
</style></head><body><h1>${title}</h1>${body}</body></html>
`;
