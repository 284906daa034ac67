//! A JSON map under construction, into which damage may reach.

use super::damage::Patch;
use super::php::Json;

pub struct Map<'a> {
    json: &'a mut Json,
    patch: Option<&'a Patch>,
}

impl<'a> Map<'a> {
    /// Writes one map: its members by `write`, changed by `patch`.
    pub fn write(json: &'a mut Json, patch: Option<&'a Patch>, write: impl FnOnce(&mut Map)) {
        if let Some(Patch::Whole(text)) = patch {
            return json.raw(text);
        }
        json.open('{');
        let mut map = Map { json, patch };
        write(&mut map);
        if let Some(Patch::Add(members)) = patch {
            map.json.item();
            map.json.raw(members);
        }
        map.json.close('}');
    }

    /// One member, its value by `write`.
    pub fn member(&mut self, key: &str, write: impl FnOnce(&mut Json)) {
        match self.patch {
            Some(Patch::Drop(dropped)) if *dropped == key => {}
            Some(Patch::Set(changed, text)) if *changed == key => {
                self.json.key(key);
                self.json.raw(text);
            }
            _ => {
                self.json.key(key);
                write(self.json);
            }
        }
    }

    pub fn string(&mut self, key: &str, text: &str) {
        self.member(key, |json| json.string(text));
    }

    pub fn number(&mut self, key: &str, number: impl std::fmt::Display) {
        self.member(key, |json| json.number(number));
    }

    /// JSON text that is already spelled out, such as `null` or `[]`.
    pub fn raw(&mut self, key: &str, text: &str) {
        self.member(key, |json| json.raw(text));
    }

    /// A map within the map. Damage does not reach into it.
    pub fn map(&mut self, key: &str, write: impl FnOnce(&mut Map)) {
        self.member(key, |json| Map::write(json, None, write));
    }

    /// A list of strings.
    pub fn list(&mut self, key: &str, items: &[&str]) {
        self.member(key, |json| {
            json.open('[');
            for item in items {
                json.item();
                json.string(item);
            }
            json.close(']');
        });
    }
}
