//! A schema compiled to one flat array of opcodes: no pointer to follow, one allocation, and what can be decided
//! once (which types take no bytes, how many bytes fixed parts take together) is decided here.
//!
//! Layout: the root's body, then the bodies of records that are called, each ended by [`Op::Return`]. Records that
//! are not recursive are written out in place, within a budget; the others are called.
use super::model::{Kind, Model, TypeId};
use crate::schema::SchemaError;
use std::collections::HashMap;

/// Records inside each other that are written out in place.
const INLINE_DEPTH_MAX: usize = 16;
/// Records that are written out in place altogether: a fan-out of 2^n in the schema stays linear here.
const INLINE_RECORDS_MAX: u32 = 2_048;
const OPS_MAX: usize = 4 << 20;
/// The most bytes that ops melt together to skip: added to a place in a payload it cannot overflow, on 32 bits either.
const SKIP_MAX: u32 = i32::MAX as u32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// The end of a body.
    Return,
    Boolean,
    /// An int, and `then` bytes of any value after it: as [`Op::Skip`], but that these are there is seen by what
    /// reads next, or at the end.
    Int {
        then: u32,
    },
    Long {
        then: u32,
    },
    Bytes,
    String {
        then: u32,
    },
    /// A string and an int behind it: a step less for a common pair of neighbours.
    StringInt {
        then: u32,
    },
    StringLong {
        then: u32,
    },
    /// So many bytes of any value: float, double, fixed, and neighbours of these together.
    Skip(u32),
    /// An index below so many symbols.
    Enum(u32),
    /// A union of null and one other type: on the index `null` go on at `over`, on the other one fall through.
    Nullable {
        null: u8,
        over: u32,
    },
    /// The same around a string, the most common one.
    NullableString {
        null: u8,
    },
    /// An index below `branches`; so many [`Op::Jump`]s follow, one a branch.
    Union {
        branches: u32,
    },
    Jump(u32),
    /// Runs the body at `body`, `levels` deeper: the records around it in this body. Its own record counts there.
    Call {
        body: u32,
        levels: u8,
    },
    /// An array or a map. Its items' body follows, a map's with the key; go on at `over`.
    Blocks {
        over: u32,
        levels: u8,
    },
    /// An array whose items take no bytes: only its block headers are there.
    EmptyItems,
}

pub(super) struct Program {
    pub ops: Box<[Op]>,
}

impl Program {
    pub fn compile(model: &Model, root: TypeId) -> Result<Self, SchemaError> {
        let mut compiler = Compiler {
            takes_no_bytes: types_without_bytes(model),
            model,
            ops: Vec::new(),
            label: 0,
            bodies: HashMap::new(),
            waiting: Vec::new(),
            open: Vec::new(),
            levels: 0,
            inlined: 0,
        };
        compiler.program(root)?;
        Ok(Self {
            ops: compiler.ops.into_boxed_slice(),
        })
    }
}

struct Compiler<'m> {
    model: &'m Model,
    takes_no_bytes: Vec<bool>,
    ops: Vec<Op>,
    /// Something may jump to the op at this index: it must not melt into the one before.
    label: usize,
    /// Where the bodies of called records begin; [`Op::Call`] holds the record's type until the end.
    bodies: HashMap<TypeId, u32>,
    waiting: Vec<TypeId>,
    /// The records whose fields are being written out.
    open: Vec<TypeId>,
    /// How many of them in this body.
    levels: u8,
    inlined: u32,
}

impl Compiler<'_> {
    fn program(&mut self, root: TypeId) -> Result<(), SchemaError> {
        self.emit(root)?;
        self.ops.push(Op::Return);
        while let Some(record) = self.waiting.pop() {
            if self.bodies.contains_key(&record) {
                continue;
            }
            let start = self.here();
            self.bodies.insert(record, start);
            self.fields(record)?;
            self.ops.push(Op::Return);
        }
        for op in &mut self.ops {
            if let Op::Call { body, .. } = op {
                *body = self.bodies.get(&TypeId(*body)).copied().unwrap_or(u32::MAX);
            }
        }
        Ok(())
    }

    /// The index of the next op, which may be jumped to from now on.
    fn here(&mut self) -> u32 {
        self.label = self.ops.len();
        self.label as u32
    }

    fn set(&mut self, index: u32, op: Op) {
        if let Some(slot) = self.ops.get_mut(index as usize) {
            *slot = op;
        }
    }

    fn skip(&mut self, bytes: u32) {
        if bytes == 0 {
            return;
        }
        match self.neighbour() {
            Some(
                Op::Skip(before)
                | Op::Int { then: before }
                | Op::Long { then: before }
                | Op::String { then: before }
                | Op::StringInt { then: before }
                | Op::StringLong { then: before },
            ) if before.checked_add(bytes).is_some_and(|sum| sum <= SKIP_MAX) => *before += bytes,
            _ => self.ops.push(Op::Skip(bytes)),
        }
    }

    /// A number behind a string becomes one op with it.
    fn number(&mut self, alone: Op, behind_string: Op) {
        match self.neighbour() {
            Some(op @ Op::String { then: 0 }) => *op = behind_string,
            _ => self.ops.push(alone),
        }
    }

    /// The op before, if what comes next is only ever run after it.
    fn neighbour(&mut self) -> Option<&mut Op> {
        self.ops.get_mut(self.label..)?.last_mut()
    }

    fn emit(&mut self, id: TypeId) -> Result<(), SchemaError> {
        if self.ops.len() > OPS_MAX {
            return Err(SchemaError::OverLimit(format!(
                "the schema compiles to more than {OPS_MAX} steps"
            )));
        }
        match self.model.kind(id) {
            Kind::Null | Kind::Unresolved(_) => {}
            Kind::Boolean => self.ops.push(Op::Boolean),
            Kind::Int => self.number(Op::Int { then: 0 }, Op::StringInt { then: 0 }),
            Kind::Long => self.number(Op::Long { then: 0 }, Op::StringLong { then: 0 }),
            Kind::Float => self.skip(4),
            Kind::Double => self.skip(8),
            Kind::Bytes => self.ops.push(Op::Bytes),
            Kind::String => self.ops.push(Op::String { then: 0 }),
            Kind::Fixed { size, .. } => self.skip(*size),
            Kind::Enum { symbols, .. } => self.ops.push(Op::Enum(symbols.len() as u32)),
            Kind::Array(items) if self.is_empty(*items) => self.ops.push(Op::EmptyItems),
            Kind::Array(items) => self.blocks(*items, false)?,
            Kind::Map(values) => self.blocks(*values, true)?,
            Kind::Union(branches) => self.union(branches)?,
            Kind::Record { .. } => self.record(id)?,
        }
        Ok(())
    }

    fn is_empty(&self, id: TypeId) -> bool {
        self.takes_no_bytes.get(id.0 as usize).copied().unwrap_or(false)
    }

    fn record(&mut self, id: TypeId) -> Result<(), SchemaError> {
        if self.is_empty(id) {
            return Ok(());
        }
        let in_place = self.open.len() < INLINE_DEPTH_MAX
            && self.inlined < INLINE_RECORDS_MAX
            && !self.open.contains(&id);
        if in_place {
            self.inlined += 1;
            return self.fields(id);
        }
        self.ops.push(Op::Call {
            body: id.0,
            levels: self.levels,
        });
        self.waiting.push(id);
        Ok(())
    }

    fn fields(&mut self, id: TypeId) -> Result<(), SchemaError> {
        let model = self.model;
        let Kind::Record { fields, .. } = model.kind(id) else {
            return Ok(());
        };
        self.open.push(id);
        self.levels += 1;
        for field in fields {
            self.emit(field.of)?;
        }
        self.levels -= 1;
        self.open.pop();
        Ok(())
    }

    fn blocks(&mut self, of: TypeId, keys: bool) -> Result<(), SchemaError> {
        let levels = self.levels + 1;
        let start = self.here();
        self.ops.push(Op::Blocks { over: 0, levels });
        self.here();
        if keys {
            self.ops.push(Op::String { then: 0 });
        }
        let outer = std::mem::take(&mut self.levels);
        self.emit(of)?;
        self.levels = outer;
        self.ops.push(Op::Return);
        let over = self.here();
        self.set(start, Op::Blocks { over, levels });
        Ok(())
    }

    fn union(&mut self, branches: &[TypeId]) -> Result<(), SchemaError> {
        if let [one, other] = branches {
            let null = |id: &TypeId| matches!(self.model.kind(*id), Kind::Null);
            if null(one) {
                return self.nullable(0, *other);
            } else if null(other) {
                return self.nullable(1, *one);
            }
        }
        let start = self.here();
        self.ops.push(Op::Union {
            branches: branches.len() as u32,
        });
        self.ops.extend(branches.iter().map(|_| Op::Jump(0)));
        let mut ends = Vec::with_capacity(branches.len());
        for (entry, branch) in (start + 1..).zip(branches) {
            let target = self.here();
            self.set(entry, Op::Jump(target));
            self.emit(*branch)?;
            ends.push(self.here());
            self.ops.push(Op::Jump(0));
        }
        let end = self.here();
        for jump in ends {
            self.set(jump, Op::Jump(end));
        }
        Ok(())
    }

    fn nullable(&mut self, null: u8, other: TypeId) -> Result<(), SchemaError> {
        if matches!(self.model.kind(other), Kind::String) {
            self.ops.push(Op::NullableString { null });
            return Ok(());
        }
        let start = self.here();
        self.ops.push(Op::Nullable { null, over: 0 });
        self.here();
        self.emit(other)?;
        let over = self.here();
        self.set(start, Op::Nullable { null, over });
        Ok(())
    }
}

/// Which types take no bytes in any payload: null, a fixed of none, and records of nothing else. A record that
/// contains itself without a union between is not among them; it has no finite payload at all.
fn types_without_bytes(model: &Model) -> Vec<bool> {
    let mut empty = vec![false; model.types.len()];
    // For each type the records that wait for it, and for each record how many of its fields are not settled.
    let mut waiting: HashMap<TypeId, Vec<usize>> = HashMap::new();
    let mut open = vec![0usize; model.types.len()];
    let mut settled = Vec::new();
    for (index, of) in model.types.iter().enumerate() {
        match &of.kind {
            Kind::Null | Kind::Fixed { size: 0, .. } => settled.push(index),
            Kind::Record { fields, .. } if fields.is_empty() => settled.push(index),
            Kind::Record { fields, .. } => {
                for field in fields {
                    waiting.entry(field.of).or_default().push(index);
                }
                if let Some(open) = open.get_mut(index) {
                    *open = fields.len();
                }
            }
            _ => {}
        }
    }
    while let Some(index) = settled.pop() {
        if let Some(empty) = empty.get_mut(index) {
            *empty = true;
        }
        for record in waiting.remove(&TypeId(index as u32)).unwrap_or_default() {
            if let Some(open) = open.get_mut(record) {
                *open -= 1;
                if *open == 0 {
                    settled.push(record);
                }
            }
        }
    }
    empty
}
