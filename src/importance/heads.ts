// Which heads of an attention go: a query head is a block of inputs of o_proj, a key-value group all the blocks whose queries
// share its keys. Query head i reads key-value head ⌊i / g⌋, so that each group has to keep the same number of them.
import type { Block, BlockCosts } from "./block-costs.ts";

export interface HeadShape {
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
}

/** Whole key-value groups go first, then `heads` query heads from each group that is left; all of them means no attention. */
export interface HeadCut {
  readonly kvGroups: number;
  readonly heads: number;
}

export interface HeadRemoval {
  /** Query heads that stay, ascending: group by group. */
  readonly heads: Int32Array;
  /** Key-value heads that stay, ascending. */
  readonly keyValueHeads: Int32Array;
  /** What each step costs beyond those before it: a group, or one query head of every group left. */
  readonly costs: Float64Array;
}

/** Removes greedily what costs least; within a step over the groups the cheapest head goes first and changes the others' costs. */
export async function removeHeads(costs: BlockCosts, shape: HeadShape, cut: HeadCut): Promise<HeadRemoval> {
  const { numAttentionHeads, numKeyValueHeads, headDim } = shape;
  const group = numAttentionHeads / numKeyValueHeads;
  const groups = Array.from({ length: numKeyValueHeads }, (_, index) => ({
    index,
    heads: Array.from({ length: group }, (_, i) => index * group + i),
  }));
  const headBlock = (head: number): Block => ({ start: head * headDim, end: (head + 1) * headDim });
  const groupBlock = (index: number): Block => ({ start: index * group * headDim, end: (index + 1) * group * headDim });
  const steps: number[] = [];
  for (let k = 0; k < cut.kvGroups; k++) {
    const { place, cost } = await removeCheapest(
      costs,
      groups.map(({ index }) => groupBlock(index)),
    );
    groups.splice(place, 1);
    steps.push(cost);
  }
  for (let round = 0; round < cut.heads; round++) {
    let total = 0;
    for (const pending = [...groups]; pending.length > 0; ) {
      const candidates = pending.flatMap((from) => from.heads.map((head) => ({ from, head })));
      const { place, cost } = await removeCheapest(
        costs,
        candidates.map(({ head }) => headBlock(head)),
      );
      const { from, head } = candidates[place]!;
      from.heads.splice(from.heads.indexOf(head), 1);
      pending.splice(pending.indexOf(from), 1);
      total += cost;
    }
    steps.push(total);
  }
  const left = groups.filter(({ heads }) => heads.length > 0);
  return {
    heads: Int32Array.from(left.flatMap(({ heads }) => heads)),
    keyValueHeads: Int32Array.from(left, ({ index }) => index),
    costs: Float64Array.from(steps),
  };
}

async function removeCheapest(costs: BlockCosts, blocks: readonly Block[]): Promise<{ place: number; cost: number }> {
  let [place, cost] = [0, Number.POSITIVE_INFINITY];
  for (const [i, block] of blocks.entries()) {
    const own = await costs.cost(block);
    if (own < cost) [place, cost] = [i, own];
  }
  await costs.remove(blocks[place]!);
  return { place, cost };
}
