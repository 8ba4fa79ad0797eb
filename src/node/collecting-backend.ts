// Garbage between runs of graphs, kept small. Typed arrays live outside the heap that V8 watches: left to itself, it lets
// gigabytes of them wait before it collects.
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Backend } from "../compute/backend.ts";

/** Bytes of arrays that may have come since the last collection: a collection takes some milliseconds, a run about as long. */
const UNCOLLECTED_BYTES = 64 * 2 ** 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Frees arrays that nothing refers to any more. */
export const collectGarbage = (): void => collect();

/** The backend, with garbage collected when enough arrays have come. */
export function collectingBackend(backend: Backend): Backend {
  let least = arrayBytes();
  const tidy = (): void => {
    // arrays are freed some time after they were found to be garbage
    least = Math.min(least, arrayBytes());
    if (arrayBytes() - least < UNCOLLECTED_BYTES) return;
    collectGarbage();
    least = arrayBytes();
  };
  return {
    device: backend.device,
    async compile(graph, options) {
      const program = await backend.compile(graph, options);
      return {
        async run(inputs, into) {
          tidy();
          return program.run(inputs, into);
        },
        release: () => program.release(),
      };
    },
  };
}

const arrayBytes = (): number => getHeapStatistics().external_memory;
