// The merging of byte-pair encoding: of all neighbours that have a merge the one of lowest rank first, the leftmost among equals.
// A heap and a linked list, so that a long text takes n log n.
// Algorithm: huggingface/tokenizers, tokenizers/src/models/bpe/word.rs, Word::merge_all

/** Merges by what they join. */
export interface MergeTable {
  /** Rank of the merge of two tokens; undefined when there is none. */
  rankOf(left: number, right: number): number | undefined;
  /** Token that the merge of a rank makes. */
  readonly madeBy: readonly number[];
}

/** Ids of a text's characters, merged as far as they can be. `onMade` hears of each token that a merge makes on the way. */
export function mergeSymbols(
  ids: readonly number[],
  table: MergeTable,
  onMade: (id: number) => void = () => {},
): number[] {
  const symbols = new SymbolList(ids);
  const queue = new MinHeap();
  const span = ids.length;
  // one number holds rank and position, ordered by rank first
  const offer = (at: number): void => {
    const rank = symbols.rankAt(at, table);
    if (rank !== undefined) queue.push(rank * span + at);
  };
  for (let at = 0; at < ids.length; at++) offer(at);
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const at = entry % span;
    const made = table.madeBy[(entry - at) / span]!;
    const rank = symbols.rankAt(at, table);
    if (rank === undefined || table.madeBy[rank] !== made) continue; // one of the two has been merged with another
    symbols.mergeAt(at, made);
    onMade(made);
    offer(symbols.previous[at]!);
    offer(at);
  }
  return symbols.toArray();
}

const NONE = -1;

/** Tokens side by side; one that has been merged into the token before it is left out. */
class SymbolList {
  readonly #ids: number[];
  readonly previous: Int32Array;
  readonly #next: Int32Array;

  constructor(ids: readonly number[]) {
    this.#ids = [...ids];
    this.previous = Int32Array.from(ids, (_, at) => at - 1);
    this.#next = Int32Array.from(ids, (_, at) => (at + 1 < ids.length ? at + 1 : NONE));
  }

  /** Rank of the merge of the token at a position with the one after it. */
  rankAt(at: number, table: MergeTable): number | undefined {
    if (at === NONE || this.#ids[at] === NONE || this.#next[at] === NONE) return undefined;
    return table.rankOf(this.#ids[at]!, this.#ids[this.#next[at]!]!);
  }

  mergeAt(at: number, made: number): void {
    const gone = this.#next[at]!;
    const after = this.#next[gone]!;
    this.#ids[at] = made;
    this.#ids[gone] = NONE;
    this.#next[at] = after;
    if (after !== NONE) this.previous[after] = at;
  }

  toArray(): number[] {
    return this.#ids.filter((id) => id !== NONE);
  }
}

/** A binary heap of numbers, the smallest on top. */
class MinHeap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
