//! As much HTML as the testbed's own pages and the nodes' have: tags, attributes, text.

/// A form as it stands in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormTag {
    /// `id`, may be empty.
    pub id: String,
    /// `action`, may be empty.
    pub action: String,
    /// `post` or `get`.
    pub method: String,
    /// `data-` attributes, without that prefix.
    pub data: Vec<(String, String)>,
    /// What is filled in already, in order.
    pub fields: Vec<Field>,
}

/// A control of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// `name`.
    pub name: String,
    /// `value`.
    pub value: String,
    /// `hidden`, `text`, `radio`, `submit`, `select` and so on.
    pub kind: String,
    /// Checked or selected.
    pub chosen: bool,
}

/// What was read of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// `<title>`.
    pub title: String,
    /// What a person reads, with single spaces.
    pub text: String,
    /// Forms, in order.
    pub forms: Vec<FormTag>,
    /// Targets of links, in order.
    pub links: Vec<String>,
    /// Inline scripts.
    pub scripts: Vec<String>,
}

impl Document {
    /// Reads a page. What it does not understand it passes over.
    pub fn read(html: &str) -> Self {
        let mut document = Self::default();
        let mut rest = html;
        let mut open_form = false;
        while let Some(at) = rest.find('<') {
            document.say(&rest[..at]);
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
                continue;
            }
            let Some(tag) = Tag::read(rest) else { break };
            rest = &rest[tag.length..];
            if let "script" | "style" | "title" = tag.name.as_str() {
                let end = format!("</{}", tag.name);
                let (raw, after) = rest.split_once(&end).unwrap_or((rest, ""));
                match tag.name.as_str() {
                    "script" => document.scripts.push(raw.to_owned()),
                    "title" => document.title = unescape(raw),
                    _ => {}
                }
                rest = after.split_once('>').map_or("", |(_, after)| after);
                continue;
            }
            match tag.name.as_str() {
                "form" => {
                    document.forms.push(tag.form());
                    open_form = true;
                }
                "/form" => open_form = false,
                "a" => document.links.extend(tag.attribute("href").map(str::to_owned)),
                _ if open_form => {
                    if let Some(form) = document.forms.last_mut() {
                        form.take(&tag);
                    }
                }
                _ => {}
            }
        }
        document.say(rest);
        document
    }

    fn say(&mut self, text: &str) {
        for word in unescape(text).split_whitespace() {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
    }
}

impl FormTag {
    fn take(&mut self, tag: &Tag) {
        let text = |name| tag.attribute(name).unwrap_or("").to_owned();
        let kind = match tag.name.as_str() {
            "input" => tag.attribute("type").unwrap_or("text").to_lowercase(),
            "button" => tag.attribute("type").unwrap_or("submit").to_lowercase(),
            "select" => "select".to_owned(),
            "option" => return self.option(tag),
            _ => return,
        };
        let chosen = tag.attribute("checked").is_some();
        self.fields.push(Field { name: text("name"), value: text("value"), kind, chosen });
    }

    /// A choice of the last select: the first is what is sent unless another is marked.
    fn option(&mut self, tag: &Tag) {
        let Some(select) = self.fields.last_mut().filter(|field| field.kind == "select") else {
            return;
        };
        let marked = tag.attribute("selected").is_some();
        if marked || !select.chosen {
            tag.attribute("value").unwrap_or("").clone_into(&mut select.value);
            select.chosen = true;
        }
    }
}

/// One tag.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    length: usize,
}

impl Tag {
    /// Reads the tag at the beginning; a `>` within quotes does not end it.
    fn read(text: &str) -> Option<Self> {
        let body = &text[1..];
        let end = body.find(|c: char| c.is_whitespace() || c == '>')?;
        let name = body[..end].trim_end_matches('/').to_lowercase();
        let mut attributes = Vec::new();
        let mut rest = &body[end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                return Some(Self { name, attributes, length: text.len() - after.len() });
            }
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))?;
            let attribute = rest[..end].to_lowercase();
            rest = rest[end..].trim_start();
            let Some(after) = rest.strip_prefix('=') else {
                attributes.push((attribute, String::new()));
                continue;
            };
            let after = after.trim_start();
            let (value, left) = match after.chars().next()? {
                quote @ ('"' | '\'') => after[1..].split_once(quote)?,
                _ => after.split_at(after.find(|c: char| c.is_whitespace() || c == '>')?),
            };
            attributes.push((attribute, unescape(value)));
            rest = left;
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    fn form(&self) -> FormTag {
        let text = |name| self.attribute(name).unwrap_or("").to_owned();
        let method = self.attribute("method").unwrap_or("get").to_lowercase();
        let data = self.attributes.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix("data-")?.to_owned(), value.clone()))
        });
        let data = data.collect();
        FormTag { id: text("id"), action: text("action"), method, data, fields: Vec::new() }
    }
}

/// Resolves the entities that occur; others stay as they are.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').filter(|end| *end <= 10).map(|end| &rest[1..end]);
        match entity.and_then(|entity| Some((character(entity)?, entity.len() + 2))) {
            Some((c, length)) => {
                plain.push(c);
                rest = &rest[length..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain + rest
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_with_what_is_in_them() {
        let page = "<!DOCTYPE html><html><head><title>A &amp; B</title><style>a > b {}</style></head>\
            <body><!-- <form id=no> --><p>Who   are\nyou?</p><form id=\"f\" method=POST action='/go?a=1&amp;b=2'>\
            <input type=hidden name=h value=\"&lt;x&gt;&#39;&#x27;\"><input name=\"t\"/>\
            <input type=radio name=r value=1 checked><input type=radio name=r value=2>\
            <select name=s><option value=a>A<option value=b selected>B</select>\
            <button name=b value=v>Go</button></form><a href=\"/x\">Link</a>\
            <script>if (1 < 2) { document.forms[0].submit() }</script></body></html>";
        let document = Document::read(page);
        assert_eq!(document.title, "A & B");
        assert_eq!(document.text, "Who are you? A B Go Link");
        assert_eq!(document.links, ["/x"]);
        assert_eq!(document.scripts, ["if (1 < 2) { document.forms[0].submit() }"]);
        let [form] = document.forms.as_slice() else { panic!("one form") };
        assert_eq!((form.id.as_str(), form.method.as_str()), ("f", "post"));
        assert_eq!(form.action, "/go?a=1&b=2");
        let fields: Vec<_> = form
            .fields
            .iter()
            .map(|f| (f.name.as_str(), f.value.as_str(), f.kind.as_str(), f.chosen))
            .collect();
        let expected = [
            ("h", "<x>''", "hidden", false),
            ("t", "", "text", false),
            ("r", "1", "radio", true),
            ("r", "2", "radio", false),
            ("s", "b", "select", true),
            ("b", "v", "submit", false),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn broken_pages_are_read_to_where_they_break() {
        for page in ["", "<", "<a", "<a href", "<a href=", "<a href=\"", "<form><input", "&", "&#;"]
        {
            let _ = Document::read(page);
        }
        assert_eq!(Document::read("&nothing; & &#x110000;").text, "&nothing; & &#x110000;");
    }
}
