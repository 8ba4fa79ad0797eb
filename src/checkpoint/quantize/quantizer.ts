// What every quantizer is.

/**
 * Fills `out` with the blocks of some values, whole rows if there is `importance`: what an error in each of a row's columns
 * weighs, positive, as an importance matrix of llama.cpp has it. Without it every column counts the same.
 */
export type Quantizer = (values: Float32Array, out: Uint8Array, importance?: Float32Array) => void;
