/** What is often written instead of a schedule that is looked at: a timer in memory, so many ms from now. */
const [, , at = ''] = process.argv;
setTimeout(() => console.log('it rang'), Date.parse(at) - Date.now());
console.log('ready, and naive');
