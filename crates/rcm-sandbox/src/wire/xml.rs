//! XML, written top down.

use std::fmt::{Display, Write};

use quick_xml::escape::escape;

/// XML in the making. Values are escaped, names are taken as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Xml(String);

impl Xml {
    /// `<name>value</name>`
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        // Writing to a string cannot fail.
        let _ = write!(self.0, "<{name}>{}</{name}>", escape(value.as_str()));
        self
    }

    /// `<name>value</name>`, or nothing.
    pub(crate) fn opt(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// `<name>…</name>`
    pub(crate) fn node(&mut self, name: &str, content: impl FnOnce(&mut Xml)) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// `<name><item>…</item><item>…</item></name>`: EC2 calls its items `item`, awsQuery services `member` or by their name.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Xml, T),
    ) -> &mut Self {
        self.node(name, |list| {
            for value in values {
                list.node(item, |xml| content(xml, value));
            }
        })
    }

    /// `<name><item>value</item>…</name>`
    pub(crate) fn texts<T: Display>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.node(name, |list| {
            for value in values {
                list.text(item, value);
            }
        })
    }

    /// What `other` holds.
    pub(crate) fn append(&mut self, other: &Xml) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// A value without an element of its own.
    pub(crate) fn value(&mut self, value: &str) -> &mut Self {
        self.0.push_str(&escape(value));
        self
    }

    /// What has been written so far.
    pub(crate) fn content(&self) -> &str {
        &self.0
    }

    /// `<name xmlns="namespace">…</name>`
    pub(super) fn root(&mut self, name: &str, namespace: &str, content: impl FnOnce(&mut Xml)) -> &mut Self {
        let _ = write!(self.0, "<{name} xmlns=\"{namespace}\">");
        content(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// With the XML declaration in front.
    pub(super) fn document(&self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.0)
    }
}
