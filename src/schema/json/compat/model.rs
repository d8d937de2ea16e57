//! What a schema is compared as: Confluent compares the classes that the libraries `everit-json-schema` (drafts 4 to 7)
//! and `json-sKema` (later drafts, translated to the former's classes) make of a schema, so the same shapes are made
//! here. Two schemas that are compared are in one [`Model`]; a shape names others by their place in it.

use crate::schema::json::document::Json;
use crate::schema::json::draft::Draft;
use crate::schema::json::resources::{Located, Resources, address};
use std::collections::HashMap;

/// A place in a [`Model`].
pub type NodeId = u32;

/// Shapes that both schemas together may have.
const NODES_MAX: usize = 400_000;

/// The schemas are too large to be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooComplex;

/// One schema, or a part of one that counts as a schema when it is compared.
#[derive(Debug)]
pub struct Node<'a> {
    pub shape: Shape<'a>,
    /// It gives a `default`: a property that has one may become required.
    pub has_default: bool,
    /// It is the `allOf` of what its text says beside one another, which has none.
    pub fell_apart: bool,
    /// Kafka Connect's note that it holds bytes, whatever its type.
    pub is_bytes: bool,
    /// What else makes it differ from its neighbours in a list of schemas: annotations, and keywords that are not compared.
    pub remarks: Vec<(&'a str, &'a Json)>,
}

#[derive(Debug)]
pub enum Shape<'a> {
    /// `true`, `{}`, or only keywords that say nothing of a value.
    Any,
    Never,
    Boolean,
    Null,
    Text(Text<'a>),
    Number(Number<'a>),
    Object(Box<ObjectShape<'a>>),
    Array(Box<ArrayShape<'a>>),
    Const(&'a Json),
    Enum(&'a [Json]),
    Not(NodeId),
    Combined(Criterion, Vec<NodeId>),
    /// `if`, `then` and `else` are not compared.
    Conditional,
    Reference(&'a str, Target),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Node(NodeId),
    /// Where it leads is not there.
    Nowhere,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Criterion {
    All,
    Any,
    One,
}

/// A number as it is written.
pub type Written<'a> = Option<&'a str>;

#[derive(Debug, Default)]
pub struct Text<'a> {
    /// `type` says so; if not, only strings are looked at.
    pub required: bool,
    pub min: Written<'a>,
    pub max: Written<'a>,
    pub pattern: Option<&'a str>,
}

#[derive(Debug, Default)]
pub struct Number<'a> {
    pub required: bool,
    pub integer: bool,
    pub minimum: Written<'a>,
    pub maximum: Written<'a>,
    pub exclusive_minimum: Written<'a>,
    pub exclusive_maximum: Written<'a>,
    pub multiple_of: Written<'a>,
}

/// What `additionalProperties` or `additionalItems` says of the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rest {
    #[default]
    Open,
    Closed,
    Schema(NodeId),
}

impl Rest {
    pub fn or(self, other: Self) -> Self {
        if self == Self::Open { other } else { self }
    }
}

#[derive(Debug, Default)]
pub struct ObjectShape<'a> {
    pub required_type: bool,
    /// In the order of the text.
    pub properties: Vec<(&'a str, NodeId)>,
    pub required: Vec<&'a str>,
    pub patterns: Vec<(&'a str, NodeId)>,
    pub rest: Rest,
    pub unevaluated: Option<NodeId>,
    pub min: Written<'a>,
    pub max: Written<'a>,
    pub dependent_names: Vec<(&'a str, Vec<&'a str>)>,
    pub dependent_schemas: Vec<(&'a str, NodeId)>,
}

#[derive(Debug, Default)]
pub struct ArrayShape<'a> {
    pub required_type: bool,
    /// The schema of every item.
    pub all: Option<NodeId>,
    /// The schemas of the first items.
    pub first: Vec<NodeId>,
    pub rest: Rest,
    pub unevaluated: Option<NodeId>,
    pub min: Written<'a>,
    pub max: Written<'a>,
    pub min_contains: Written<'a>,
    pub max_contains: Written<'a>,
    pub unique: bool,
}

#[derive(Debug, Default)]
pub struct Model<'a> {
    pub nodes: Vec<Node<'a>>,
}

impl<'a> Model<'a> {
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        const NOWHERE: &Node<'static> = &Node {
            shape: Shape::Never,
            has_default: false,
            fell_apart: false,
            is_bytes: false,
            remarks: Vec::new(),
        };
        self.nodes.get(id as usize).unwrap_or(NOWHERE)
    }

    pub fn shape(&self, id: NodeId) -> &Shape<'a> {
        &self.node(id).shape
    }

    /// Follows references to what they stand for. Those that lead in a circle have been refused before.
    pub fn followed(&self, mut id: NodeId) -> NodeId {
        for _ in 0..=self.nodes.len() {
            match self.shape(id) {
                Shape::Reference(_, Target::Node(target)) => id = *target,
                _ => break,
            }
        }
        id
    }
}

/// Fills a [`Model`] with one schema and what it refers to.
pub struct Loader<'a, 'm> {
    pub resources: Resources<'a>,
    pub model: &'m mut Model<'a>,
    /// What references lead to, once for all that lead there.
    targets: HashMap<(usize, usize), NodeId>,
    queue: Vec<(NodeId, Located<'a>)>,
}

impl<'a, 'm> Loader<'a, 'm> {
    pub fn new(resources: Resources<'a>, model: &'m mut Model<'a>) -> Self {
        Self {
            resources,
            model,
            targets: HashMap::new(),
            queue: Vec::new(),
        }
    }

    /// Loads the schema at `root` with `load`, which is called once more for all that references lead to.
    pub fn run(
        mut self,
        root: Located<'a>,
        load: impl Fn(&mut Self, Located<'a>) -> Result<NodeId, TooComplex>,
    ) -> Result<NodeId, TooComplex> {
        let id = load(&mut self, root)?;
        while let Some((place, located)) = self.queue.pop() {
            let loaded = load(&mut self, located)?;
            if let Some(node) = self.model.nodes.get_mut(place as usize) {
                node.shape = Shape::Reference("", Target::Node(loaded));
            }
        }
        Ok(id)
    }

    pub fn add(&mut self, node: Node<'a>) -> Result<NodeId, TooComplex> {
        let id = self.model.nodes.len();
        if id >= NODES_MAX {
            return Err(TooComplex);
        }
        self.model.nodes.push(node);
        Ok(id as NodeId)
    }

    pub fn add_shape(&mut self, shape: Shape<'a>) -> Result<NodeId, TooComplex> {
        self.add(Node::new(shape))
    }

    /// `allOf` or `anyOf` of shapes.
    pub fn combine(&mut self, criterion: Criterion, parts: Vec<Shape<'a>>) -> Result<Shape<'a>, TooComplex> {
        let members = parts.into_iter().map(|shape| self.add_shape(shape));
        Ok(Shape::Combined(criterion, members.collect::<Result<_, _>>()?))
    }

    pub fn draft(&self, resource: usize) -> Draft {
        let resource = self.resources.list.get(resource);
        resource.map_or(Draft::DEFAULT, |resource| resource.draft)
    }

    /// A reference that stands in `resource`. What it leads to is loaded later, from a queue: references nest deeper than
    /// any text.
    pub fn reference(&mut self, resource: usize, reference: &'a str) -> Result<Shape<'a>, TooComplex> {
        let Ok(located) = self.resources.locate(resource, reference) else {
            return Ok(Shape::Reference(reference, Target::Nowhere));
        };
        let key = (address(located.json), located.resource);
        let target = if let Some(known) = self.targets.get(&key) {
            *known
        } else {
            let place = self.add_shape(Shape::Reference("", Target::Nowhere))?;
            self.targets.insert(key, place);
            self.queue.push((place, located));
            place
        };
        Ok(Shape::Reference(reference, Target::Node(target)))
    }

    /// Where a schema that stands inside another one is.
    pub fn inside(&self, json: &'a Json, resource: usize) -> Located<'a> {
        let resource = self.resources.resource_of(json, resource);
        Located { json, resource }
    }
}

impl Shape<'_> {
    /// Whether they are of one class: what is of different classes is not compared further.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl<'a> Node<'a> {
    /// `true`, which in a list of schemas is another one than `{}`.
    pub fn accepting_all(json: &'a Json) -> Self {
        Self {
            remarks: vec![("", json)],
            ..Self::new(Shape::Any)
        }
    }

    pub fn new(shape: Shape<'a>) -> Self {
        Self {
            shape,
            has_default: false,
            fell_apart: false,
            is_bytes: false,
            remarks: Vec::new(),
        }
    }
}
