// The values that share a scale while their levels are sought.
import { f32 } from "./rounding.ts";

/** Below this a group counts as zeros. */
const ALL_ZERO = 1e-15;

/** Some values, what an error of each of them weighs, and the level that a search gives each of them. */
export class Group {
  readonly size: number;
  /** Numbers of f32, and so are the weights: f64 arrays spare the searches, which read them time and again, the conversion. */
  readonly values: Float64Array;
  readonly weights: Float64Array;
  readonly levels: Uint8Array;
  /** Levels that a search compares with those it has. */
  readonly trial: Float64Array;
  /** Values that a search has shifted. */
  readonly shifted: Float64Array;
  /** What a search with an offset subtracts: a value is scale · level − offset. */
  offset = 0;

  constructor(size: number) {
    this.size = size;
    this.values = new Float64Array(size);
    this.weights = new Float64Array(size);
    this.levels = new Uint8Array(size);
    this.trial = new Float64Array(size);
    this.shifted = new Float64Array(size);
  }

  /** Takes the values from `start` on. */
  load(values: Float32Array, start: number): void {
    for (let i = 0; i < this.size; i++) this.values[i] = values[start + i]!;
  }

  /** A large value counts for more, as does one that meets large inputs: importance · √(variance + x²). */
  weighByImportance(importance: Float32Array, column: number, variance: number): void {
    const { size, values, weights } = this;
    for (let i = 0; i < size; i++) {
      const square = f32(values[i]! * values[i]!);
      weights[i] = f32(importance[column + i]! * f32(Math.sqrt(f32(variance + square))));
    }
  }

  weighBySquare(): void {
    for (let i = 0; i < this.size; i++) this.weights[i] = f32(this.values[i]! * this.values[i]!);
  }

  sumOfSquares(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum = f32(sum + f32(this.values[i]! * this.values[i]!));
    return sum;
  }

  totalWeight(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum = f32(sum + this.weights[i]!);
    return sum;
  }

  weightedSum(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum = f32(sum + f32(this.weights[i]! * this.values[i]!));
    return sum;
  }

  lowest(): number {
    let low = this.values[0]!;
    for (let i = 1; i < this.size; i++) if (this.values[i]! < low) low = this.values[i]!;
    return low;
  }

  highest(): number {
    let high = this.values[0]!;
    for (let i = 1; i < this.size; i++) if (this.values[i]! > high) high = this.values[i]!;
    return high;
  }

  /** The first value of the largest magnitude, with its sign; 0 where all are below `zero`. */
  largest(zero = ALL_ZERO): number {
    const { size, values } = this;
    let largest = 0;
    for (let i = 0; i < size; i++) if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!;
    return Math.abs(largest) < zero ? 0 : largest;
  }
}
