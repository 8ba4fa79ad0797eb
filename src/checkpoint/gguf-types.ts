// The value types of GGUF metadata and the numbers that stand for them in a file.

export type GgufScalarType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "u64" | "i64" | "f64";
export type GgufType = GgufScalarType | "string";

/** Numbers of the two types whose values vary in length. */
export const STRING = 8;
export const ARRAY = 9;

export interface GgufScalar {
  readonly code: number;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint | boolean;
  readonly write: (view: DataView, at: number, value: number) => void;
}

/** 64-bit integers are numbers wherever a number holds them exactly. */
export const SCALARS: Readonly<Record<GgufScalarType, GgufScalar>> = {
  u8: { code: 0, bytes: 1, read: (view, at) => view.getUint8(at), write: (view, at, x) => view.setUint8(at, x) },
  i8: { code: 1, bytes: 1, read: (view, at) => view.getInt8(at), write: (view, at, x) => view.setInt8(at, x) },
  u16: {
    code: 2,
    bytes: 2,
    read: (view, at) => view.getUint16(at, true),
    write: (view, at, x) => view.setUint16(at, x, true),
  },
  i16: {
    code: 3,
    bytes: 2,
    read: (view, at) => view.getInt16(at, true),
    write: (view, at, x) => view.setInt16(at, x, true),
  },
  u32: {
    code: 4,
    bytes: 4,
    read: (view, at) => view.getUint32(at, true),
    write: (view, at, x) => view.setUint32(at, x, true),
  },
  i32: {
    code: 5,
    bytes: 4,
    read: (view, at) => view.getInt32(at, true),
    write: (view, at, x) => view.setInt32(at, x, true),
  },
  f32: {
    code: 6,
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, x) => view.setFloat32(at, x, true),
  },
  bool: {
    code: 7,
    bytes: 1,
    read: (view, at) => view.getUint8(at) !== 0,
    write: (view, at, x) => view.setUint8(at, Number(x)),
  },
  u64: {
    code: 10,
    bytes: 8,
    read: (view, at) => exactNumber(view.getBigUint64(at, true)),
    write: (view, at, x) => view.setBigUint64(at, BigInt(x), true),
  },
  i64: {
    code: 11,
    bytes: 8,
    read: (view, at) => exactNumber(view.getBigInt64(at, true)),
    write: (view, at, x) => view.setBigInt64(at, BigInt(x), true),
  },
  f64: {
    code: 12,
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, x) => view.setFloat64(at, x, true),
  },
};

const exactNumber = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};
