// Which decoder layers stay.

/** The layers that stay when the `count` of lowest influence go, ascending; of equals the later goes. */
export function keepInfluential(influences: readonly number[], count: number): number[] {
  const ranked = [...influences.keys()].sort((a, b) => influences[a]! - influences[b]! || b - a);
  const removed = new Set(ranked.slice(0, count));
  return [...influences.keys()].filter((index) => !removed.has(index));
}
