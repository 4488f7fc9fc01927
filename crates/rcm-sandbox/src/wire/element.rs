//! The XML of requests, as a tree.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// One element. What it is written in (namespaces, attributes, white space around elements) does not matter.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The root of a document; `None` when it is not well-formed.
    pub(crate) fn parse(text: &str) -> Option<Element> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => open.push(Element::named(&tag)),
                Event::Empty(tag) => open.last_mut()?.children.push(Element::named(&tag)),
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let element = open.last_mut()?;
                    match reference.resolve_char_ref().ok()? {
                        Some(letter) => element.text.push(letter),
                        None => {
                            let content = reference.xml10_content();
                            element.text.push_str(quick_xml::escape::resolve_predefined_entity(&content)?);
                        }
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let document = open.pop().filter(|_| open.is_empty())?;
        document.children.into_iter().next()
    }

    fn named(tag: &BytesStart<'_>) -> Element {
        Element { name: tag.local_name().as_ref().to_owned(), ..Element::default() }
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// All children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}
