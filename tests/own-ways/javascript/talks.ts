// Does in the sandbox what programs in TypeScript do elsewhere; each record says what.

import { type Infer, operator, record, setting, u32 } from 'weir-guest';

const Asked = record('Asked', { number: u32 });

enum Command {
  Prints = 'prints',
  Throws = 'throws',
}

function reciprocal(of: Infer<typeof Asked>): number {
  throw new RangeError(`no such number: ${of.number}`);
}

export default operator({
  name: 'talks',
  version: '1',
  config: { asked: setting(Asked, { number: 7 }) },

  process(record, ctx) {
    const command = record.text() as Command;
    if (command === Command.Throws) reciprocal(ctx.config.asked);
    console.log('one', { two: 2 }, [3n]);
    console.warn('é🦀\nin two lines');
    console.error(new Error('only shown').message);
    ctx.emit('printed');
  },
});
