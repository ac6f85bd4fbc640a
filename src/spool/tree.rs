//! The tree of non-recipients: addresses that are done with.
//!
//! It is an AVL tree because the -H file holds its shape, and the reference writes the shape that insertion
//! gives. Limits: see [`super::read_header`].

use bstr::{BStr, BString, ByteSlice};

/// A set of addresses, in byte order, balanced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    root: Link,
}

type Link = Option<Box<Node>>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: BString,
    height: u32,
    left: Link,
    right: Link,
}

fn height(link: &Link) -> u32 {
    link.as_ref().map_or(0, |n| n.height)
}

impl Node {
    fn update(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
    }
}

fn rotate_right(mut node: Box<Node>) -> Box<Node> {
    let Some(mut left) = node.left.take() else { return node };
    node.left = left.right.take();
    node.update();
    left.right = Some(node);
    left.update();
    left
}

fn rotate_left(mut node: Box<Node>) -> Box<Node> {
    let Some(mut right) = node.right.take() else { return node };
    node.right = right.left.take();
    node.update();
    right.left = Some(node);
    right.update();
    right
}

fn balance(mut node: Box<Node>) -> Box<Node> {
    node.update();
    let (l, r) = (height(&node.left), height(&node.right));
    if l > r + 1 {
        if let Some(left) = node.left.take() {
            node.left = Some(if height(&left.left) < height(&left.right) { rotate_left(left) } else { left });
        }
        return rotate_right(node);
    }
    if r > l + 1 {
        if let Some(right) = node.right.take() {
            node.right = Some(if height(&right.right) < height(&right.left) { rotate_right(right) } else { right });
        }
        return rotate_left(node);
    }
    node
}

fn insert(link: Link, name: &[u8], added: &mut bool) -> Link {
    let Some(mut node) = link else {
        *added = true;
        return Some(Box::new(Node { name: name.into(), height: 1, left: None, right: None }));
    };
    match name.cmp(&node.name) {
        std::cmp::Ordering::Less => node.left = insert(node.left.take(), name, added),
        std::cmp::Ordering::Greater => node.right = insert(node.right.take(), name, added),
        std::cmp::Ordering::Equal => return Some(node),
    }
    Some(balance(node))
}

impl Tree {
    /// Adds an address; false if it was there.
    pub fn insert(&mut self, name: &[u8]) -> bool {
        let mut added = false;
        self.root = insert(self.root.take(), name, &mut added);
        added
    }

    /// Is the address there?
    pub fn contains(&self, name: &[u8]) -> bool {
        let mut link = &self.root;
        while let Some(node) = link {
            link = match name.cmp(&node.name) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => &node.left,
                std::cmp::Ordering::Greater => &node.right,
            };
        }
        false
    }

    /// True when nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The addresses, each node before its left and then its right subtree, as -H has them: has a left subtree, has
    /// a right one, address.
    pub fn preorder(&self) -> Vec<(bool, bool, &BStr)> {
        let mut out = Vec::new();
        let mut stack: Vec<&Node> = self.root.as_deref().into_iter().collect();
        while let Some(node) = stack.pop() {
            out.push((node.left.is_some(), node.right.is_some(), node.name.as_bstr()));
            stack.extend(node.right.as_deref());
            stack.extend(node.left.as_deref());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_follows_insertion() {
        let mut t = Tree::default();
        assert!(t.insert(b"a") && t.insert(b"b") && t.insert(b"c") && !t.insert(b"b"));
        assert_eq!(t.preorder(), [(true, true, b"b".as_bstr()), (false, false, b"a".as_bstr()), (false, false, b"c".as_bstr())]);
        let mut t = Tree::default();
        for i in 0..1000 {
            t.insert(format!("{:04}", i * 7919 % 1000).as_bytes());
        }
        assert_eq!(t.preorder().len(), 1000);
        assert!(height(&t.root) < 15 && t.contains(b"0500") && !t.contains(b"x"));
    }
}
