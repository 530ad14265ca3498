// What editors and compilers know of the API: `npm run check-types` fails where a line that is to be refused is not.

import { broadcast, Failure, from, i64, type Infer, list, map, operator, option, record, setting, string, tuple, u32, u64, value, variant } from 'weir-guest';

const Seen = record('Seen', { count: u64, last: option(string) });
type Seen = Infer<typeof Seen>;
const Order = variant('Order', { pending: null, shipped: tuple(u32, string) });

export default operator({
  name: 'typed',
  version: '1',
  inputs: [{ name: 'commands', partitioning: 'key' }, 'rules'],
  outputs: ['main', 'side'],
  timers: { soon: 'event' },
  config: { limit: setting(u32, 10), who: option(string) },
  states: {
    seen: value(Seen, { version: 2, migrate: { 1: from(u64, (count) => ({ count, last: null })) } }),
    items: list(string),
    entries: map(string, i64),
    rules: broadcast(string, string),
    order: value(Order),
  },
  open(config, setup) {
    const limit: number = config.limit;
    const who: string | null = config.who;
    void [limit, who, setup.schema('commands')];
  },
  process(record, ctx) {
    if (record.input === 'rules') return;
    const seen: Seen | undefined = ctx.seen.get();
    const { count } = ctx.seen.update((s) => ({ ...s, count: s.count + 1n }));
    for (const [name, n] of ctx.entries) ctx.emit(`${name}${n + 1n}`);
    ctx.order.set({ shipped: [3, 'x'] });
    ctx.order.set('pending');
    const order = ctx.order.get();
    if (order === 'pending') ctx.to('side').emit(null, { key: null, time: new Date(0) });
    ctx.timers.set('soon', 5);
    // @ts-expect-error
    ctx.timers.set('later', 5);
    // @ts-expect-error
    ctx.to('nowhere');
    // @ts-expect-error
    ctx.seen.set({ count: 1, last: null });
    // @ts-expect-error
    record.input === 'other';
    if (count > 3n) throw new Failure(`${seen?.last} ${ctx.config.limit}`);
    const item: string | undefined = ctx.items.get(0);
    void item;
  },
  onTimer(timer, ctx) {
    ctx.emit(timer.name + timer.time);
  },
});
