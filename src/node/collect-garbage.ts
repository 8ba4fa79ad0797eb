// Typed arrays live outside the heap that V8 watches: it lets gigabytes of them wait before it collects. Here it is told when.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Frees arrays that nothing refers to any more. */
export const collectGarbage = (): void => collect();
