// Which tokens stay, and what their ids become: ascending as before, without gaps.

export interface Renumbering {
  /** Ids of the tokens that stay, ascending; the position of each is its new id. */
  readonly kept: readonly number[];
  /** The new id of a token; undefined for one that goes. */
  idOf(old: number): number | undefined;
}

export function createRenumbering(ids: Iterable<number>): Renumbering {
  const kept = [...new Set(ids)].sort((a, b) => a - b);
  const news = new Map(kept.map((old, id) => [old, id]));
  return { kept, idOf: (old) => news.get(old) };
}
