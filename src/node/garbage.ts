// Garbage kept small. Typed arrays live outside the heap that V8 watches: left to itself, it lets gigabytes of them wait before it
// collects.
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of arrays that may have come since the last collection. */
const UNCOLLECTED_BYTES = 64 * 2 ** 20;

/**
 * Bytes by which V8's heap and old arrays together may grow before it collects by itself. It would allow a small heap so little that
 * it looked through all of it for each matrix or two.
 */
const GROWTH_BYTES = 48 * 2 ** 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;

const arrayBytes = (): number => getHeapStatistics().external_memory;

/** The fewest bytes of arrays since the last whole collection: arrays are freed some time after they were found to be garbage. */
let least = arrayBytes();

/**
 * Frees arrays that nothing refers to any more, when enough have come. Nearly all die young: these alone are found in a
 * millisecond, whereas a whole collection takes ten times as long, as long as a graph of a small model.
 */
export function collectGarbage(): void {
  if (bytesCome() < UNCOLLECTED_BYTES) return;
  collect({ type: "minor" });
  if (bytesCome() >= UNCOLLECTED_BYTES / 2) collectAllGarbage();
}

/** The same, however few there are. */
export function collectAllGarbage(): void {
  const growth = Math.ceil((100 * GROWTH_BYTES) / getHeapStatistics().used_heap_size);
  setFlagsFromString(`--heap-growing-percent=${growth}`);
  collect();
  least = arrayBytes();
}

function bytesCome(): number {
  const bytes = arrayBytes();
  least = Math.min(least, bytes);
  return bytes - least;
}
