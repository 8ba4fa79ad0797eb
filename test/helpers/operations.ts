// All operations under one name.
export * from "../../src/compute/operations/elementwise.ts";
export * from "../../src/compute/operations/linear.ts";
export * from "../../src/compute/operations/normalize.ts";
export * from "../../src/compute/operations/shape.ts";
