SELECT audit.init();
